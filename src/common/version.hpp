#pragma once
/// Which build this is.

#include <string_view>

namespace btc {

/// `0.1.0`.
std::string_view version();
/// First 12 hex digits of the commit, or `unknown`.
std::string_view git_hash();
/// True when tracked files differed from that commit at configure time.
bool git_dirty();

}  // namespace btc
