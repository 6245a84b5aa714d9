#include "pipeline/stage_file.hpp"

#include "common/error.hpp"

namespace btc {

Hdf5File create_stage_file(const std::filesystem::path& path, const StageFileKind& kind,
                           const std::string& fingerprint) {
  Hdf5File file = Hdf5File::create(path);
  file.set_attribute("/", "schema", kind.schema);
  file.set_attribute("/", "version", kind.version);
  file.set_attribute("/", "fingerprint", fingerprint);
  return file;
}

Hdf5File open_stage_file(const std::filesystem::path& path, const StageFileKind& kind) {
  Hdf5File file = Hdf5File::open(path);
  const std::string schema = file.text_attribute("/", "schema");
  const std::string version = file.text_attribute("/", "version");
  BTC_REQUIRE(FormatError, schema == kind.schema && version == kind.version, path.string(),
              ": expected schema ", kind.schema, " version ", kind.version, ", got ", schema, " ",
              version);
  return file;
}

}  // namespace btc
