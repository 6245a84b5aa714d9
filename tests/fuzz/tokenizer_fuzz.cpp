/// A byte that chooses the kind of file, then the file: refused, or a tokenizer that encodes and
/// decodes.

#include <array>

#include "fuzz_input.hpp"
#include "support/scratch.hpp"
#include "tokenizer/tokenizer.hpp"

namespace btc::fuzz {
namespace {

constexpr std::array<const char*, 3> kNames = {"tokenizer.json", "tokenizer.model",
                                               "qwen.tiktoken"};

void use(const Tokenizer& tokenizer) {
  for (const std::string_view text : {"It's 12345 words,\n\n  caf\u00e9 \U0001F600", "ab", ""}) {
    read_or_refuse([&] { static_cast<void>(tokenizer.decode(tokenizer.encode_prompt(text))); });
  }
}

}  // namespace

void read_input(const std::uint8_t* data, std::size_t size) {
  if (size == 0) {
    return;
  }
  static const test::Scratch kDirectory("fuzz-tokenizer");
  const auto file = kDirectory.path() / kNames[data[0] % kNames.size()];
  test::write_bytes(file, as_text(data + 1, size - 1));
  read_or_refuse([&] { use(*open_tokenizer(kDirectory.path())); });
  std::filesystem::remove(file);
}

}  // namespace btc::fuzz
