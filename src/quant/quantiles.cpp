#include "quant/quantiles.hpp"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>

#include "common/error.hpp"

namespace btc {
namespace {

/// Bin of a value: its upper 16 bits. Non-negative floats order as their bit patterns do.
constexpr std::size_t kBins = std::size_t{1} << 16U;
std::size_t bin_of(float value) { return std::bit_cast<std::uint32_t>(value + 0.0F) >> 16U; }

/// Entries that have a group already are zeros, a large part of all values: nothing to sort.
void sort_unless_equal(std::vector<float>& values) {
  const auto [lowest, highest] = std::minmax_element(values.begin(), values.end());
  if (lowest != highest && *lowest != *highest) {
    std::sort(values.begin(), values.end());
  }
}

}  // namespace

std::array<float, kQuantileLevels> quantile_levels() {
  constexpr float kStart = 0.1F;
  constexpr float kEnd = 0.9F;
  constexpr float kStep = (kEnd - kStart) / 80.0F;
  std::array<float, kQuantileLevels> levels{};
  for (std::size_t i = 0; i < kQuantileLevels; ++i) {
    levels[i] = i < kQuantileLevels / 2 ? std::fma(kStep, static_cast<float>(i), kStart)
                                        : std::fma(-kStep, static_cast<float>(80 - i), kEnd);
  }
  return levels;
}

std::vector<float> order_statistics(std::span<const float> values,
                                    std::span<const std::size_t> ranks) {
  std::vector<std::size_t> first(kBins + 1, 0);  // rank of the first value of each bin
  for (const float value : values) {
    ++first[bin_of(value) + 1];
  }
  for (std::size_t b = 0; b < kBins; ++b) {
    first[b + 1] += first[b];
  }
  std::vector<std::vector<float>> members(kBins);
  std::vector<std::size_t> bins;
  std::vector<bool> wanted(kBins, false);
  for (const std::size_t rank : ranks) {
    BTC_CHECK(rank < values.size(), "rank ", rank, " of ", values.size(), " values");
    const auto after = std::upper_bound(first.begin(), first.end(), rank);
    bins.push_back(static_cast<std::size_t>(after - first.begin()) - 1);
    wanted[bins.back()] = true;
  }
  for (const float value : values) {
    if (wanted[bin_of(value)]) {
      members[bin_of(value)].push_back(value);
    }
  }
  for (std::size_t b = 0; b < kBins; ++b) {
    sort_unless_equal(members[b]);
  }
  std::vector<float> result;
  for (std::size_t r = 0; r < ranks.size(); ++r) {
    result.push_back(members[bins[r]][ranks[r] - first[bins[r]]]);
  }
  return result;
}

std::vector<float> quantiles(std::span<const float> values, std::span<const float> levels) {
  std::vector<std::size_t> ranks;
  for (const float level : levels) {
    const float position = static_cast<float>(values.size() - 1) * level;
    const auto low = static_cast<std::size_t>(std::floor(position));
    ranks.push_back(low);
    ranks.push_back(std::min(low + 1, values.size() - 1));
  }
  const std::vector<float> bounds = order_statistics(values, ranks);
  std::vector<float> result;
  for (std::size_t i = 0; i < levels.size(); ++i) {
    const float position = static_cast<float>(values.size() - 1) * levels[i];
    const float t = position - std::floor(position);
    const float low = bounds[2 * i];
    const float high = bounds[2 * i + 1];
    const float step = high - low;
    result.push_back(t < 0.5F ? low + step * t : high - step * (1.0F - t));
  }
  return result;
}

}  // namespace btc
