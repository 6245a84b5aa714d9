#pragma once
/// Tables of text for people.

#include <cstdint>
#include <string>
#include <vector>

namespace btc {

/// 1234567 -> 1,234,567.
std::string grouped(std::uint64_t value);
/// Columns as wide as their widest cell; the first is aligned left, the others right.
std::string aligned(const std::vector<std::vector<std::string>>& rows);

}  // namespace btc
