#include "backend/cpu/flip_search.hpp"

#include <algorithm>
#include <limits>

#include "backend/check_input.hpp"
#include "common/matrix.hpp"

namespace btc {
namespace {

/// Positions whose 2^kFirst sets of flips are all tested before any is dropped.
constexpr std::size_t kFirst = 3;
/// Time of one expected set (2^v / c are expected) in units of the time to scan one codeword;
/// measured on a Zen 4 for v = 16, 20, 24.
constexpr std::size_t kSetPrice = 6;
constexpr std::uint32_t kNone = std::numeric_limits<std::uint32_t>::max();
/// Bits of a position inside a sort key.
constexpr int kPositionBits = 5;

/// Costs in ascending order, each as cost << kPositionBits | position.
template <std::size_t Width>
using SortedCosts = std::array<std::uint32_t, Width>;

/// Sorts by counting how many keys are smaller; keys differ, because positions do.
template <std::size_t Width>
SortedCosts<Width> sort_costs(std::span<const std::int32_t> costs) {
  SortedCosts<Width> keys;
  keys.fill(kNone);
  for (std::size_t b = 0; b < costs.size(); ++b) {
    keys[b] =
        (static_cast<std::uint32_t>(costs[b]) << kPositionBits) | static_cast<std::uint32_t>(b);
  }
  std::array<std::uint32_t, Width> rank{};
  for (std::size_t j = 0; j < costs.size(); ++j) {
    const std::uint32_t key = keys[j];
    for (std::size_t i = 0; i < Width; ++i) {
      rank[i] += static_cast<std::uint32_t>(key < keys[i]);
    }
  }
  SortedCosts<Width> sorted;
  for (std::size_t b = 0; b < costs.size(); ++b) {
    sorted[rank[b]] = keys[b];
  }
  return sorted;
}

/// The cheapest codeword so far.
struct Best {
  std::uint32_t cost = kNone;
  std::uint32_t label = kNone;

  void offer(std::uint32_t other_cost, std::uint32_t other_label) {
    if (other_cost < cost || (other_cost == cost && other_label < label)) {
      cost = other_cost;
      label = other_label;
    }
  }
};

}  // namespace

FlipSearch::FlipSearch(std::span<const Pattern> codewords, int vector_length,
                       const NearestTable& table)
    : codewords_(codewords),
      vector_length_(vector_length),
      scan_is_cheaper_(codewords.size() * codewords.size() <= kSetPrice << vector_length),
      max_sets_(std::min(kMaxSets, codewords.size())),
      table_(table),
      bitmap_(ceil_div(std::size_t{1} << vector_length, 32), 0) {
  for (const Pattern codeword : codewords) {
    bitmap_[codeword / 32] |= std::uint32_t{1} << (codeword % 32);
  }
}

std::uint32_t FlipSearch::cheapest(Pattern own, std::span<const std::int32_t> costs,
                                   Scratch& scratch) const {
  std::uint32_t all = 0;
  std::uint32_t highest = 0;
  for (const std::int32_t cost : costs) {
    all |= static_cast<std::uint32_t>(cost);
    highest = std::max(highest, static_cast<std::uint32_t>(cost));
  }
  if (highest > static_cast<std::uint32_t>(kMaxFlipCost)) {
    check_flip_costs(costs);
  }
  if (all == 0) {
    return 0;  // every codeword costs nothing
  }
  if (scan_is_cheaper_) {
    return scan(own, costs);
  }
  if (vector_length_ <= 8) {
    return cheapest_of_width<8>(own, costs, scratch);
  }
  return vector_length_ <= 16 ? cheapest_of_width<16>(own, costs, scratch)
                              : cheapest_of_width<24>(own, costs, scratch);
}

template <std::size_t Width>
std::uint32_t FlipSearch::cheapest_of_width(Pattern own, std::span<const std::int32_t> costs,
                                            Scratch& scratch) const {
  const SortedCosts<Width> sorted = sort_costs<Width>(costs);
  const auto cost_at = [&](std::size_t j) { return sorted[j] >> kPositionBits; };
  const auto flip_at = [&](std::size_t j) {
    return Pattern{1} << (sorted[j] & ((1U << kPositionBits) - 1));
  };

  const std::uint32_t* const bitmap = bitmap_.data();
  const auto is_codeword = [bitmap](Pattern pattern) {
    return ((bitmap[pattern / 32] >> (pattern % 32)) & 1U) != 0;
  };
  auto* sets = &scratch.sets[0];
  auto* grown = &scratch.sets[1];
  std::size_t count = 1;
  sets->pattern[0] = own;
  sets->cost[0] = 0;
  for (std::size_t j = 0; j < kFirst; ++j, count *= 2) {
    for (std::size_t s = 0; s < count; ++s) {
      sets->pattern[count + s] = sets->pattern[s] ^ flip_at(j);
      sets->cost[count + s] = sets->cost[s] + cost_at(j);
    }
  }
  Best best;
  for (std::size_t s = 0; s < count; ++s) {
    if (is_codeword(sets->pattern[s])) {
      best.offer(sets->cost[s], table_.label(sets->pattern[s]));
    }
  }

  for (std::size_t j = kFirst; j < costs.size() && cost_at(j) <= best.cost; ++j) {
    if (2 * count > max_sets_) {
      return scan(own, costs);
    }
    const Pattern flip = flip_at(j);
    const std::uint32_t more = cost_at(j);
    const Pattern* from_pattern = sets->pattern.data();
    const std::uint32_t* from_cost = sets->cost.data();
    Pattern* __restrict__ to_pattern = grown->pattern.data();
    std::uint32_t* __restrict__ to_cost = grown->cost.data();
    std::uint32_t limit = best.cost;
    std::size_t kept = 0;
    for (std::size_t s = 0; s < count; ++s) {
      const Pattern without = from_pattern[s];
      const Pattern with = without ^ flip;
      const std::uint32_t cost = from_cost[s] + more;
      // A set too dear with position j is too dear with any later one: drop it and its growth.
      to_pattern[kept] = without;
      to_cost[kept] = from_cost[s];
      to_pattern[kept + 1] = with;
      to_cost[kept + 1] = cost;
      kept += cost <= limit ? 2 : 0;
      if (is_codeword(with) && cost <= limit) {
        best.offer(cost, table_.label(with));
        limit = best.cost;
      }
    }
    std::swap(sets, grown);
    count = kept;
  }
  return best.label;
}

std::uint32_t FlipSearch::scan(Pattern own, std::span<const std::int32_t> costs) const {
  // What flipping the bits of each byte of a pattern costs.
  std::array<std::array<std::uint32_t, 256>, 3> bytes;
  for (auto& table : bytes) {
    table[0] = 0;
  }
  for (std::size_t b = 0; b < 24; ++b) {
    auto& table = bytes[b / 8];
    const std::size_t half = std::size_t{1} << (b % 8);
    const std::uint32_t cost = b < costs.size() ? static_cast<std::uint32_t>(costs[b]) : 0;
    for (std::size_t s = 0; s < half; ++s) {
      table[half + s] = table[s] + cost;
    }
  }
  Best best;
  for (std::uint32_t k = 0; k < codewords_.size(); ++k) {
    const Pattern flips = own ^ codewords_[k];
    const std::uint32_t cost =
        bytes[0][flips & 255U] + bytes[1][(flips >> 8U) & 255U] + bytes[2][flips >> 16U];
    if (cost < best.cost) {
      best = {cost, k};
    }
  }
  return best.label;
}

}  // namespace btc
