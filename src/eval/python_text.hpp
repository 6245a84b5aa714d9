#pragma once
/// Operations on UTF-8 text with the results of Python's `str` methods, in whose terms the prompts
/// of the harness are written. `strip` is in common/white_space.hpp.

#include <cstddef>
#include <string>
#include <string_view>

namespace btc {

/// `len(text)`: Unicode code points. @pre valid UTF-8
std::size_t code_points(std::string_view text);
/// `text.replace(from, to)`: one pass, no overlaps. @pre from is not empty
std::string replace_all(std::string_view text, std::string_view from, std::string_view to);
/// `text.capitalize()`: the first character in title case, all others in lower case, by the
/// one-to-one case maps of Unicode. Python differs for a first character that becomes several
/// (sharp s, ligatures), for a dotted capital I and for a capital sigma at the end of a word.
/// @throws IoError if the system has no locale C.UTF-8
std::string capitalize(std::string_view text);
/// `len(re.split(r"\s+", text))`.
std::size_t split_count(std::string_view text);

}  // namespace btc
