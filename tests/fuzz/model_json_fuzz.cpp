/// Any text as config.json of a packed model, of an original one, and as manifest.json.

#include <fstream>

#include "fuzz_input.hpp"
#include "model/model_config.hpp"
#include "pack/manifest.hpp"
#include "pack/packed_config.hpp"
#include "support/scratch.hpp"

namespace btc::fuzz {

void read_input(const std::uint8_t* data, std::size_t size) {
  static const test::Scratch kDirectory("fuzz-manifest");
  const std::string text(as_text(data, size));
  read_or_refuse([&] {
    const auto packed = read_packed_config(text, "config.json");
    static_cast<void>(parse_model_config(packed.source, "config.json"));
  });
  read_or_refuse([&] { static_cast<void>(parse_model_config(text, "config.json")); });
  test::write_bytes(kDirectory.path() / kManifestName, text);
  read_or_refuse([&] {
    const Manifest manifest = read_manifest(kDirectory.path());
    for (const ModelFile& file : manifest.files) {
      check_size(kDirectory.path(), file);
    }
  });
}

}  // namespace btc::fuzz
