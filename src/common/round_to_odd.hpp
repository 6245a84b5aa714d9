#pragma once
/// From fp64 to the 16-bit formats of `common/half.hpp` with one rounding.

#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>

namespace btc {

/// fp32 that rounds to every shorter format as `value` itself does: where fp32 cannot hold the
/// value it takes the neighbour whose last bit is 1, which is never a tie of a shorter one.
inline float round_to_odd(double value) {
  const auto nearest = static_cast<float>(value);
  const bool exact = static_cast<double>(nearest) == value;
  if (exact || !std::isfinite(nearest) || (std::bit_cast<std::uint32_t>(nearest) & 1U) != 0) {
    return nearest;
  }
  const float towards = value > static_cast<double>(nearest)
                            ? std::numeric_limits<float>::infinity()
                            : -std::numeric_limits<float>::infinity();
  return std::nextafter(nearest, towards);
}

}  // namespace btc
