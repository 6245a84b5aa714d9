#include "common/white_space.hpp"

#include <algorithm>
#include <array>

namespace btc {

namespace {

/// White space beyond ASCII, as Unicode code points.
constexpr std::array<char32_t, 19> kWideSpaces = {
    0x85,   0xA0,   0x1680, 0x2000, 0x2001, 0x2002, 0x2003, 0x2004, 0x2005, 0x2006,
    0x2007, 0x2008, 0x2009, 0x200A, 0x2028, 0x2029, 0x202F, 0x205F, 0x3000};

bool is_ascii_space(char c) {
  const auto code = static_cast<unsigned char>(c);
  return (code >= 0x09 && code <= 0x0d) || (code >= 0x1c && code <= 0x20);
}

}  // namespace

std::size_t leading_space(std::string_view text) {
  if (text.empty()) {
    return 0;
  }
  if (is_ascii_space(text[0])) {
    return 1;
  }
  // Every white-space character beyond ASCII takes two or three bytes of UTF-8.
  const auto lead = static_cast<unsigned char>(text[0]);
  const std::size_t length = (lead & 0xe0U) == 0xc0U ? 2 : (lead & 0xf0U) == 0xe0U ? 3 : 0;
  if (length == 0 || length > text.size()) {
    return 0;
  }
  char32_t code = lead & (length == 2 ? 0x1fU : 0x0fU);
  for (const char c : text.substr(1, length - 1)) {
    const auto byte = static_cast<unsigned char>(c);
    if ((byte & 0xc0U) != 0x80U) {
      return 0;
    }
    code = (code << 6U) | (byte & 0x3fU);
  }
  return std::find(kWideSpaces.begin(), kWideSpaces.end(), code) != kWideSpaces.end() ? length : 0;
}

std::size_t trailing_space(std::string_view text) {
  constexpr std::size_t kLongest = 3;
  for (std::size_t length = 1; length <= std::min(kLongest, text.size()); ++length) {
    if (leading_space(text.substr(text.size() - length)) == length) {
      return length;
    }
  }
  return 0;
}

std::string_view strip_end(std::string_view text) {
  while (const std::size_t length = trailing_space(text)) {
    text.remove_suffix(length);
  }
  return text;
}

std::string_view strip(std::string_view text) {
  while (const std::size_t length = leading_space(text)) {
    text.remove_prefix(length);
  }
  return strip_end(text);
}

}  // namespace btc
