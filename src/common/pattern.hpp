#pragma once
/// Sign patterns: `v` consecutive signs of a row packed into one integer.

#include <cstddef>
#include <cstdint>
#include <vector>

namespace btc {

/// Bit b is the sign of the b-th column of the sub-vector; 1 means +1, 0 means -1.
using Pattern = std::uint32_t;

inline constexpr int kMinVectorLength = 4;
inline constexpr int kMaxVectorLength = 24;

/// Distinct patterns with how often each occurs.
/// `patterns` is strictly ascending; `counts` has the same length and no zero.
struct PatternHistogram {
  int vector_length = 0;
  std::vector<Pattern> patterns;
  std::vector<std::uint64_t> counts;
};

}  // namespace btc
