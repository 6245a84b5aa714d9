/// Any text as config.json of a packed model, of an original one, and as manifest.json.

#include <fstream>

#include "fuzz_input.hpp"
#include "model/model_config.hpp"
#include "pack/manifest.hpp"
#include "pack/packed_config.hpp"
#include "support/scratch.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const btc::test::Scratch directory("fuzz-manifest");
  const std::string text(btc::fuzz::as_text(data, size));
  btc::fuzz::read_or_refuse([&] {
    const auto packed = btc::read_packed_config(text, "config.json");
    static_cast<void>(btc::parse_model_config(packed.source, "config.json"));
  });
  btc::fuzz::read_or_refuse(
      [&] { static_cast<void>(btc::parse_model_config(text, "config.json")); });
  btc::test::write_bytes(directory.path() / btc::kManifestName, text);
  btc::fuzz::read_or_refuse([&] {
    const btc::Manifest manifest = btc::read_manifest(directory.path());
    for (const btc::ModelFile& file : manifest.files) {
      btc::check_size(directory.path(), file);
    }
  });
  return 0;
}
