#pragma once
/// `major.minor` of a file format: a reader takes every minor of its own major.

#include <string_view>

namespace btc {

/// @param found what the file says  @param ours what this build writes
/// @throws FormatError beginning with `origin` for another major or a text that is no version
void check_version(std::string_view found, std::string_view ours, std::string_view origin);

}  // namespace btc
