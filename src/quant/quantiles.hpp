#pragma once
/// Order statistics of many non-negative floats without sorting them.

#include <array>
#include <cstddef>
#include <span>
#include <vector>

namespace btc {

/// Number of candidate thresholds of the split search.
inline constexpr std::size_t kQuantileLevels = 81;

/// Levels 0.10, 0.11, .. 0.90 as fp32 values, rounded as a fused linear ramp from both ends does.
std::array<float, kQuantileLevels> quantile_levels();

/// Linearly interpolated quantiles, in fp32.
/// @param values not empty, each >= 0 and finite
/// @param levels each in [0, 1]
std::vector<float> quantiles(std::span<const float> values, std::span<const float> levels);

/// The values of the given ranks (0 = smallest).
/// @param values each >= 0 and finite
/// @param ranks each < values.size(), in any order
std::vector<float> order_statistics(std::span<const float> values,
                                    std::span<const std::size_t> ranks);

}  // namespace btc
