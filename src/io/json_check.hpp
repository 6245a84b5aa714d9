#pragma once
/// What a JSON parser lets through and a reader of untrusted files must not.

#include <string_view>

namespace btc {

/// Checks that `text` is one JSON value, in UTF-8, without a name that occurs twice in an object,
/// a NUL byte, or more than `max_depth` nested objects and arrays.
/// @param origin begins the message
/// @throws FormatError naming the byte
void check_json(std::string_view text, std::string_view origin, int max_depth);

}  // namespace btc
