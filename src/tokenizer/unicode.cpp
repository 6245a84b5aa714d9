#include "tokenizer/unicode.hpp"

#include <utf8proc.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <memory>

#include "common/error.hpp"
#include "common/matrix.hpp"

namespace btc {

namespace {

const utf8proc_uint8_t* as_bytes(std::string_view text) {
  return reinterpret_cast<const utf8proc_uint8_t*>(text.data());
}

bool is_ascii(std::string_view text) {
  return std::all_of(text.begin(), text.end(),
                     [](char c) { return static_cast<unsigned char>(c) < 0x80; });
}

/// Whether bytes may follow that make `part` one character. What may come next is a range that
/// ends with the first or the last of all continuation bytes.
bool begins_character(std::string_view part) {
  const std::size_t length = utf8_length(part.front());
  return part.size() <= length && std::ranges::any_of(std::array{'\x80', '\xbf'}, [&](char next) {
           std::string whole(part);
           whole.resize(length, next);
           return !find_invalid_utf8(whole);
         });
}

/// Bytes at the start of a text that are a character, or the longest beginning of one; 1 if there
/// is none. @pre text is not empty
std::size_t first_length(std::string_view text) {
  std::size_t length = std::min(utf8_length(text.front()), text.size());
  while (length > 1 && !begins_character(text.substr(0, length))) {
    --length;
  }
  return length;
}

}  // namespace

std::string replace_invalid_utf8(std::string_view text) {
  constexpr char32_t kReplacement = 0xfffd;
  std::string valid;
  while (!text.empty()) {
    const std::string_view first = text.substr(0, first_length(text));
    if (find_invalid_utf8(first)) {
      append_utf8(kReplacement, valid);
    } else {
      valid += first;
    }
    text.remove_prefix(first.size());
  }
  return valid;
}

std::size_t incomplete_tail(std::string_view text) {
  for (std::size_t tail = 1; tail <= std::min<std::size_t>(3, text.size()); ++tail) {
    const std::string_view end = text.substr(text.size() - tail);
    if (begins_character(end)) {
      return tail < utf8_length(end.front()) ? tail : 0;
    }
  }
  return 0;
}

std::optional<std::size_t> find_invalid_utf8(std::string_view text) {
  std::size_t at = 0;
  while (at < text.size()) {
    utf8proc_int32_t code = 0;
    const std::string_view rest = text.substr(at);
    const auto length =
        utf8proc_iterate(as_bytes(rest), narrow<std::ptrdiff_t>(rest.size()), &code);
    if (length <= 0) {
      return at;
    }
    at += static_cast<std::size_t>(length);
  }
  return std::nullopt;
}

void require_utf8(std::string_view text) {
  const auto invalid = find_invalid_utf8(text);
  BTC_REQUIRE(InputError, !invalid.has_value(), "text to tokenize: byte ", *invalid,
              " is not valid UTF-8");
}

void require_utf8_file(std::string_view text, std::string_view path) {
  if (const auto invalid = find_invalid_utf8(text)) {
    const std::string_view before = text.substr(0, *invalid);
    const std::size_t line_start = before.rfind('\n') + 1;  // of no line feed: 0
    BTC_THROW(InputError, path, ": line ", 1 + std::count(before.begin(), before.end(), '\n'),
              ": byte ", *invalid - line_start, " is not valid UTF-8");
  }
}

std::size_t utf8_length(char lead) {
  const auto byte = static_cast<unsigned char>(lead);
  return byte < 0x80 ? 1 : byte < 0xe0 ? 2 : byte < 0xf0 ? 3 : 4;
}

char32_t first_code_point(std::string_view text) {
  utf8proc_int32_t code = 0;
  utf8proc_iterate(as_bytes(text), narrow<std::ptrdiff_t>(text.size()), &code);
  return static_cast<char32_t>(code);
}

void append_utf8(char32_t code, std::string& text) {
  std::array<utf8proc_uint8_t, 4> bytes{};
  const auto length = utf8proc_encode_char(static_cast<utf8proc_int32_t>(code), bytes.data());
  text.append(reinterpret_cast<const char*>(bytes.data()), static_cast<std::size_t>(length));
}

std::string to_normal_form(std::string text, NormalForm form) {
  if (is_ascii(text)) {
    return text;
  }
  utf8proc_uint8_t* raw = nullptr;
  const bool composed_form = form == NormalForm::kC || form == NormalForm::kKC;
  const bool compatible = form == NormalForm::kKC || form == NormalForm::kKD;
  const auto options = static_cast<utf8proc_option_t>(
      UTF8PROC_STABLE | (composed_form ? UTF8PROC_COMPOSE : UTF8PROC_DECOMPOSE) |
      (compatible ? UTF8PROC_COMPAT : 0));
  const auto length =
      utf8proc_map(as_bytes(text), narrow<std::ptrdiff_t>(text.size()), &raw, options);
  const std::unique_ptr<utf8proc_uint8_t, decltype(&std::free)> result(raw, &std::free);
  BTC_REQUIRE(InputError, length >= 0, "a text of ", text.size(),
              " bytes cannot be normalized: ", utf8proc_errmsg(length));
  return {reinterpret_cast<const char*>(result.get()), static_cast<std::size_t>(length)};
}

bool is_white_space(char32_t code) {
  if (code < 0x80) {
    return code == ' ' || (code >= 0x09 && code <= 0x0d);
  }
  const auto category = utf8proc_category(static_cast<utf8proc_int32_t>(code));
  return code == 0x85 || category == UTF8PROC_CATEGORY_ZS || category == UTF8PROC_CATEGORY_ZL ||
         category == UTF8PROC_CATEGORY_ZP;
}

}  // namespace btc
