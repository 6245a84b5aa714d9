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

/// Which bytes may follow a first one: how many, and the range of the first of them.
struct Continuation {
  std::size_t count = 0;
  unsigned char lowest = 0x80;
  unsigned char highest = 0xbf;
};

/// @return nothing for a byte that begins no character
std::optional<Continuation> continuation_of(unsigned char lead) {
  if (lead < 0x80) {
    return Continuation{};
  }
  if (lead < 0xc2 || lead > 0xf4) {
    return std::nullopt;
  }
  Continuation next;
  next.count = lead < 0xe0 ? 1 : lead < 0xf0 ? 2 : 3;
  // Neither overlong forms nor surrogates, and nothing above U+10FFFF.
  next.lowest = lead == 0xe0 ? 0xa0 : lead == 0xf0 ? 0x90 : 0x80;
  next.highest = lead == 0xed ? 0x9f : lead == 0xf4 ? 0x8f : 0xbf;
  return next;
}

/// Bytes of the character at the start of a text, or of the part of one.
struct Beginning {
  std::size_t length = 1;
  bool whole = false;
};

/// @pre text is not empty
Beginning first_character(std::string_view text) {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  const auto next = continuation_of(byte(0));
  if (!next) {
    return {};
  }
  std::size_t length = 1;
  unsigned char lowest = next->lowest;
  unsigned char highest = next->highest;
  while (length <= next->count && length < text.size() && byte(length) >= lowest &&
         byte(length) <= highest) {
    ++length;
    lowest = 0x80;
    highest = 0xbf;
  }
  return {length, length == next->count + 1};
}

}  // namespace

std::string replace_invalid_utf8(std::string_view text) {
  constexpr char32_t kReplacement = 0xfffd;
  std::string valid;
  while (!text.empty()) {
    const Beginning first = first_character(text);
    if (first.whole) {
      valid += text.substr(0, first.length);
    } else {
      append_utf8(kReplacement, valid);
    }
    text.remove_prefix(first.length);
  }
  return valid;
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
