#pragma once
/// The 256 printable characters by which byte-level vocabularies write bytes (GPT-2): bytes that
/// are printable in Latin-1 stand for themselves, the 68 others for U+0100, U+0101, ...

#include <array>
#include <optional>
#include <string>
#include <string_view>

namespace btc {

class ByteAlphabet {
 public:
  ByteAlphabet();
  /// The bytes that `text` writes, or nullopt if it holds a character that stands for no byte.
  [[nodiscard]] std::optional<std::string> to_bytes(std::string_view text) const;
  /// The characters that write `bytes`.
  [[nodiscard]] std::string to_text(std::string_view bytes) const;

 private:
  std::array<char32_t, 256> character_of_{};
  std::array<int, 0x144> byte_of_{};  ///< -1: no byte
};

}  // namespace btc
