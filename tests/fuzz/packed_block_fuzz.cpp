/// A byte that chooses a format, then the file of a packed block: refused, or every Linear can be
/// decoded and accounted for.

#include "fuzz_input.hpp"
#include "packed_formats.hpp"

namespace btc::fuzz {
namespace {

/// Codewords of scope model, which lie in another file.
std::vector<Pattern> model_codewords(const PackedFormat& format) {
  std::vector<Pattern> codewords(format.codebook_size);
  for (std::size_t k = 0; k < codewords.size(); ++k) {
    codewords[k] = static_cast<Pattern>(k);
  }
  return codewords;
}

void read_block(const std::filesystem::path& path, const PackedFormat& format) {
  constexpr int kBlock = 3;
  const auto file = SafetensorsFile::open(path);
  read_or_refuse([&] { check_packed_metadata(file, std::to_string(kBlock)); });
  read_or_refuse([&] { static_cast<void>(ledger_of(file)); });
  const std::vector<Pattern> shared = model_codewords(format);
  for (const LinearKind kind : kLinearKinds) {
    read_or_refuse([&] {
      static_cast<void>(dequantize(read_packed_linear(file, kBlock, kind, format, &shared)));
    });
  }
  constexpr std::size_t kWidth = 203;  // of the seeds
  read_or_refuse([&] {
    static_cast<void>(
        read_packed_transform(file, kBlock, format, {kWidth, kWidth, kWidth, kWidth}));
  });
}

}  // namespace

void read_input(const std::uint8_t* data, std::size_t size) {
  static const std::vector<PackedFormat> kFormats = packed_formats();
  if (size > 0) {
    const InputFile input(data + 1, size - 1);
    read_or_refuse([&] { read_block(input.path(), kFormats[data[0] % kFormats.size()]); });
  }
}

}  // namespace btc::fuzz
