#include "eval/python_text.hpp"

#include <clocale>
#include <cwctype>
#include <memory>

#include "common/error.hpp"
#include "common/white_space.hpp"
#include "tokenizer/unicode.hpp"

namespace btc {

namespace {

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

std::string capitalize(std::string_view text) {
  const CaseMaps maps;
  std::string result;
  result.reserve(text.size());
  for (bool first = true; !text.empty(); first = false) {
    const char32_t code = first_code_point(text);
    text.remove_prefix(utf8_length(text[0]));
    append_utf8(first ? maps.title(code) : maps.lower(code), result);
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
