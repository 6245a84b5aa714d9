#pragma once
/// Request texts in one string, for hashes that other programs can check.

#include <span>
#include <string>

#include "eval/document.hpp"

namespace btc {

/// The requests as Python's `json.dumps` writes a list of `[context, continuation]` (of `[text]`
/// for rolling documents): `, ` between items, everything but printable ASCII escaped.
/// @throws InputError if a text is not valid UTF-8
std::string request_json(std::span<const Document> documents, bool rolling);
/// SHA-256 of `request_json`: 64 hex digits.
std::string request_sha256(std::span<const Document> documents, bool rolling);

}  // namespace btc
