#pragma once
/// White space as Python's `str.isspace` has it, in UTF-8 text. Protocols that were first written in
/// Python strip and split at exactly these characters.

#include <cstddef>
#include <string_view>

namespace btc {

/// Bytes of the white-space character at the start of `text`; 0 if there is none.
std::size_t leading_space(std::string_view text);
/// Bytes of the white-space character at the end of `text`; 0 if there is none.
std::size_t trailing_space(std::string_view text);

/// Without white space at the end, and at both ends.
std::string_view strip_end(std::string_view text);
std::string_view strip(std::string_view text);

}  // namespace btc
