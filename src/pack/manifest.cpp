#include "pack/manifest.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "common/hash.hpp"
#include "common/version.hpp"
#include "io/atomic_file.hpp"
#include "io/format_version.hpp"
#include "io/json_check.hpp"

namespace btc {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;
using nlohmann::ordered_json;

constexpr std::string_view kSchema = "btc.manifest";
constexpr std::string_view kVersion = "1.0";
constexpr int kMaxDepth = 8;

/// A field of an entry, of the type of T. @throws FormatError
template <typename T>
T field(const json& entry, const char* name) {
  const auto found = entry.is_object() ? entry.find(name) : entry.end();
  const bool present = entry.is_object() && found != entry.end();
  if constexpr (std::is_same_v<T, std::string>) {
    BTC_REQUIRE(FormatError, present && found->is_string(), kManifestName, ": ", name,
                " missing or not a text");
  } else {
    BTC_REQUIRE(FormatError, present && found->is_number_unsigned(), kManifestName, ": ", name,
                " missing or not a whole number");
  }
  return found->template get<T>();
}

const json& list(const json& manifest, const char* name) {
  const auto found = manifest.find(name);
  BTC_REQUIRE(FormatError, found != manifest.end() && found->is_array(), kManifestName, ": ", name,
              " missing or not a list");
  return *found;
}

/// The name of a file beside the manifest, nothing that leads elsewhere.
std::string plain_name(std::string name) {
  const bool plain = !name.empty() && name.front() != '.' &&
                     name.find_first_of(std::string_view("/\\\0", 3)) == std::string::npos;
  BTC_REQUIRE(FormatError, plain, kManifestName, ": \"", name, "\" is not the name of a file");
  return name;
}

ordered_json totals_json(const std::vector<LedgerLine>& ledger, const BitNumbers& bits) {
  ordered_json categories = ordered_json::object();
  for (const LedgerLine& total : totals_by_category(ledger)) {
    categories[total.category] = total.bytes;
  }
  return {{"bytes", total_bytes(ledger)}, {"categories", categories},
          {"nominal_bits", bits.nominal}, {"sign_bits", bits.sign},
          {"stored_bits", bits.stored},   {"model_bits", bits.model}};
}

}  // namespace

void write_manifest(const fs::path& model_directory, const std::vector<ModelFile>& files,
                    const BitNumbers& bits, const std::string& source_fingerprint,
                    const std::map<std::string, std::string>& options) {
  std::vector<ModelFile> sorted = files;
  std::sort(sorted.begin(), sorted.end(),
            [](const ModelFile& a, const ModelFile& b) { return a.name < b.name; });
  ordered_json list_of_files = ordered_json::array();
  ordered_json lines = ordered_json::array();
  std::vector<LedgerLine> ledger;
  for (const ModelFile& file : sorted) {
    check_size(model_directory, file);
    BTC_CHECK(file.ledger.empty() || total_bytes(file.ledger) == file.bytes, file.name,
              ": ledger lines sum to ", total_bytes(file.ledger), " of ", file.bytes, " bytes");
    list_of_files.push_back({{"name", file.name}, {"bytes", file.bytes}, {"sha256", file.sha256}});
    for (const LedgerLine& line : file.ledger) {
      ledger.push_back(line);
      lines.push_back({{"file", line.file},
                       {"object", line.object},
                       {"category", line.category},
                       {"bytes", line.bytes}});
    }
  }
  const ordered_json manifest = {{"schema", kSchema},
                                 {"version", kVersion},
                                 {"files", list_of_files},
                                 {"ledger", lines},
                                 {"totals", totals_json(ledger, bits)},
                                 {"source", {{"fingerprint", source_fingerprint}}},
                                 {"btc_version", version()},
                                 {"options", options}};
  write_text_file(model_directory / kManifestName, manifest.dump(1) + "\n");
}

Manifest read_manifest(const fs::path& model_directory) {
  const fs::path path = model_directory / kManifestName;
  BTC_REQUIRE(FormatError, fs::is_regular_file(path), path.string(),
              ": missing, so the directory is not a complete packed model");
  const std::string text = read_text_file(path);
  check_json(text, kManifestName, kMaxDepth);
  const json manifest = json::parse(text);
  BTC_REQUIRE(FormatError,
              manifest.is_object() && field<std::string>(manifest, "schema") == kSchema,
              kManifestName, ": schema is not ", kSchema);
  check_version(field<std::string>(manifest, "version"), kVersion, kManifestName);
  Manifest result;
  for (const json& entry : list(manifest, "files")) {
    result.files.push_back({plain_name(field<std::string>(entry, "name")),
                            field<std::uint64_t>(entry, "bytes"),
                            field<std::string>(entry, "sha256"),
                            {}});
    const auto& all = result.files;
    BTC_REQUIRE(FormatError, all.size() < 2 || all[all.size() - 2].name < all.back().name,
                kManifestName, ": ", all.back().name, " is out of order or named twice");
  }
  for (const json& entry : list(manifest, "ledger")) {
    result.ledger.push_back({field<std::string>(entry, "file"), field<std::string>(entry, "object"),
                             field<std::string>(entry, "category"),
                             field<std::uint64_t>(entry, "bytes")});
  }
  return result;
}

void check_size(const fs::path& model_directory, const ModelFile& file) {
  std::error_code error;
  const auto size = fs::file_size(model_directory / file.name, error);
  BTC_REQUIRE(FormatError, !error, (model_directory / file.name).string(), ": ", error.message(),
              ", expected a file of ", file.bytes, " bytes");
  BTC_REQUIRE(FormatError, size == file.bytes, (model_directory / file.name).string(), ": got ",
              size, " bytes, expected ", file.bytes);
}

void check_hash(const fs::path& model_directory, const ModelFile& file) {
  const fs::path path = model_directory / file.name;
  const std::string sha256 = sha256_file(path);
  BTC_REQUIRE(FormatError, sha256 == file.sha256, path.string(), ": SHA-256 is ", sha256,
              ", expected ", file.sha256);
}

void check_files(const fs::path& model_directory, const Manifest& manifest) {
  for (const ModelFile& file : manifest.files) {
    check_size(model_directory, file);
    check_hash(model_directory, file);
  }
}

}  // namespace btc
