#pragma once
/// The [20, 16] covering code: 16 signs are free, 4 parity bits follow from them. Its codewords
/// need no storage, and an index is the codeword's first 16 bits.

#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "common/pattern.hpp"

namespace btc {

inline constexpr int kLinearCodeLength = 20;  ///< v
inline constexpr int kLinearCodeFree = 16;    ///< bits of an index

/// Column b of the parity-check matrix, bit r is row r: a pattern is a codeword where the columns
/// of its +1 signs add up to 0 (XOR). Every value 1..15 occurs, so that any pattern is one flip
/// away from a codeword; 1, 2, 4, 8 and 15 occur twice, which leaves the least soft-decision error
/// of all choices (measured on Gaussian weights). The last four are the unit vectors: the parity
/// bits.
inline constexpr std::array<std::uint8_t, kLinearCodeLength> kLinearCodeColumns = {
    3, 5, 6, 7, 9, 10, 11, 12, 13, 14, 15, 1, 2, 4, 8, 15, 1, 2, 4, 8};

/// The 2^16 codewords; codeword i has i as its first 16 bits.
std::vector<Pattern> linear_code_words();

}  // namespace btc
