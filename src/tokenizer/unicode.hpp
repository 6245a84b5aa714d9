#pragma once
/// UTF-8 and canonical composition.

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace btc {

/// Position of the first byte that does not belong to valid UTF-8, or nullopt.
std::optional<std::size_t> find_invalid_utf8(std::string_view text);
/// The text with U+FFFD in place of every longest part that begins a character without ending it,
/// and of every other byte that belongs to none: as Unicode recommends, and Python decodes.
std::string replace_invalid_utf8(std::string_view text);
/// Bytes at the end of a text that begin a character without ending it: at most 3.
std::size_t incomplete_tail(std::string_view text);
/// @throws InputError naming the first invalid byte
void require_utf8(std::string_view text);
/// The same of a whole file. @throws InputError naming file, line and byte of the line
void require_utf8_file(std::string_view text, std::string_view path);
/// Bytes of the character that starts with `lead`. @pre it starts a character of valid UTF-8
std::size_t utf8_length(char lead);
/// The code point at the start of valid UTF-8. @pre text is not empty
char32_t first_code_point(std::string_view text);
void append_utf8(char32_t code, std::string& text);
enum class NormalForm { kC, kD, kKC, kKD };
/// A normalization form of valid UTF-8.
std::string to_normal_form(std::string text, NormalForm form);
/// Unicode property White_Space.
bool is_white_space(char32_t code);

}  // namespace btc
