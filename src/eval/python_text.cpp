#include "eval/python_text.hpp"

#include <clocale>
#include <cwctype>
#include <memory>

#include "common/error.hpp"
#include "common/white_space.hpp"

namespace btc {

namespace {

/// Bytes of the character that begins with `lead`. @pre valid UTF-8
std::size_t length_of(char lead) {
  const auto byte = static_cast<unsigned char>(lead);
  return byte < 0x80U ? 1 : byte < 0xe0U ? 2 : byte < 0xf0U ? 3 : 4;
}

char32_t decode(std::string_view character) {
  constexpr unsigned char kLeadBits[] = {0x7f, 0x1f, 0x0f, 0x07};
  char32_t code = static_cast<unsigned char>(character[0]) & kLeadBits[character.size() - 1];
  for (const char c : character.substr(1)) {
    code = (code << 6U) | (static_cast<unsigned char>(c) & 0x3fU);
  }
  return code;
}

void append(std::string& text, char32_t code) {
  const auto tail = [&](unsigned shift) {
    text += static_cast<char>(0x80U | ((code >> shift) & 0x3fU));
  };
  if (code < 0x80) {
    text += static_cast<char>(code);
  } else if (code < 0x800) {
    text += static_cast<char>(0xc0U | (code >> 6U));
    tail(0);
  } else if (code < 0x10000) {
    text += static_cast<char>(0xe0U | (code >> 12U));
    tail(6);
    tail(0);
  } else {
    text += static_cast<char>(0xf0U | (code >> 18U));
    tail(12);
    tail(6);
    tail(0);
  }
}

/// The case maps of Unicode, independent of the locale of the process.
class CaseMaps {
 public:
  CaseMaps() : locale_(::newlocale(LC_CTYPE_MASK, "C.UTF-8", nullptr)) {
    BTC_REQUIRE(IoError, locale_ != nullptr, "the system has no locale C.UTF-8");
    title_ = ::wctrans_l("totitle", locale_);
  }
  ~CaseMaps() { ::freelocale(locale_); }
  CaseMaps(const CaseMaps&) = delete;
  CaseMaps& operator=(const CaseMaps&) = delete;
  [[nodiscard]] char32_t lower(char32_t code) const {
    return static_cast<char32_t>(::towlower_l(static_cast<std::wint_t>(code), locale_));
  }
  [[nodiscard]] char32_t title(char32_t code) const {
    return static_cast<char32_t>(::towctrans_l(static_cast<std::wint_t>(code), title_, locale_));
  }

 private:
  ::locale_t locale_;
  std::wctrans_t title_{};
};

}  // namespace

std::size_t code_points(std::string_view text) {
  std::size_t count = 0;
  for (const char c : text) {
    count += (static_cast<unsigned char>(c) & 0xc0U) != 0x80U ? 1 : 0;
  }
  return count;
}

std::string replace_all(std::string_view text, std::string_view from, std::string_view to) {
  std::string result;
  result.reserve(text.size());
  for (std::size_t found = text.find(from); found != std::string_view::npos;
       found = text.find(from)) {
    result += text.substr(0, found);
    result += to;
    text.remove_prefix(found + from.size());
  }
  return result += text;
}

std::string capitalize(std::string_view text) {
  const CaseMaps maps;
  std::string result;
  result.reserve(text.size());
  for (bool first = true; !text.empty(); first = false) {
    const std::string_view character = text.substr(0, length_of(text[0]));
    text.remove_prefix(character.size());
    const char32_t code = decode(character);
    append(result, first ? maps.title(code) : maps.lower(code));
  }
  return result;
}

std::size_t split_count(std::string_view text) {
  std::size_t pieces = 1;
  bool in_space = false;
  while (!text.empty()) {
    const std::size_t space = leading_space(text);
    pieces += space > 0 && !in_space ? 1 : 0;
    in_space = space > 0;
    text.remove_prefix(space > 0 ? space : 1);
  }
  return pieces;
}

}  // namespace btc
