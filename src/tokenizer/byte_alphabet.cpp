#include "tokenizer/byte_alphabet.hpp"

#include "tokenizer/unicode.hpp"

namespace btc {

ByteAlphabet::ByteAlphabet() {
  byte_of_.fill(-1);
  char32_t next = 0x100;
  for (std::size_t byte = 0; byte < character_of_.size(); ++byte) {
    const bool printable = (byte >= 0x21 && byte <= 0x7e) || (byte >= 0xa1 && byte != 0xad);
    character_of_[byte] = printable ? static_cast<char32_t>(byte) : next++;
    byte_of_.at(character_of_[byte]) = static_cast<int>(byte);
  }
}

std::optional<std::string> ByteAlphabet::to_bytes(std::string_view text) const {
  std::string bytes;
  while (!text.empty()) {
    const char32_t code = first_code_point(text);
    if (code >= byte_of_.size() || byte_of_.at(code) < 0) {
      return std::nullopt;
    }
    bytes += static_cast<char>(byte_of_.at(code));
    text.remove_prefix(utf8_length(text.front()));
  }
  return bytes;
}

std::string ByteAlphabet::to_text(std::string_view bytes) const {
  std::string text;
  for (const char byte : bytes) {
    append_utf8(character_of_.at(static_cast<unsigned char>(byte)), text);
  }
  return text;
}

}  // namespace btc
