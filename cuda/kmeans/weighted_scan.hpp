#pragma once
/// Codeword with the smallest sum of flip costs, for a few sub-vectors at once: exact, tie ->
/// lowest index, by looking at every codeword. A team reads a codeword once and prices it for all
/// lanes: a table per byte of the pattern holds, for each value of that byte, what its flips cost
/// each lane.

#include <array>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>

#include "common/pattern.hpp"
#include "cuda/host_device.hpp"

namespace btc::cuda {

/// Sub-vectors that a team searches at once, the lanes.
inline constexpr int kFlipLanes = 8;

/// Low bits of a search's key, which hold the codeword's index; the bits above hold its cost.
inline constexpr int kFlipIndexBits = 24;
inline constexpr std::uint32_t kFlipIndexMask = (std::uint32_t{1} << kFlipIndexBits) - 1;

/// One sum of costs per lane; 24 costs of at most 2^26 fit.
struct alignas(16) FlipCosts {
  std::array<std::int32_t, kFlipLanes> lane;
};

/// Half of the lanes. The tables hold these halves of all entries, then the other ones:
/// neighbouring entries lie in neighbouring banks of shared memory.
struct alignas(16) HalfCosts {
  static constexpr int kLanes = kFlipLanes / 2;
  std::array<std::int32_t, kLanes> lane;
};

/// Number of entries of the tables for `vector_length` bits: 256 per whole byte, 2^r for r bits
/// left. At most 768, which are 24 KiB.
BTC_HD constexpr int flip_table_entries(int vector_length) {
  const int rest = vector_length % 8;
  return vector_length / 8 * 256 + (rest > 0 ? 1 << rest : 0);
}

/// Writes an entry of the tables [entries]. @see load_entry
BTC_HD inline void store_entry(FlipCosts* tables, int entries, int entry, const FlipCosts& sum) {
  HalfCosts low{};
  HalfCosts high{};
  for (std::size_t r = 0; r < HalfCosts::kLanes; ++r) {
    low.lane[r] = sum.lane[r];
    high.lane[r] = sum.lane[HalfCosts::kLanes + r];
  }
  auto* const halves = reinterpret_cast<HalfCosts*>(tables);
  halves[entry] = low;
  halves[entries + entry] = high;
}

BTC_HD inline FlipCosts load_entry(const FlipCosts* tables, int entries, int entry) {
  const auto* const halves = reinterpret_cast<const HalfCosts*>(tables);
  const HalfCosts low = halves[entry];
  const HalfCosts high = halves[entries + entry];
  FlipCosts sum;
  for (std::size_t r = 0; r < HalfCosts::kLanes; ++r) {
    sum.lane[r] = low.lane[r];
    sum.lane[HalfCosts::kLanes + r] = high.lane[r];
  }
  return sum;
}

/// Fills the tables: entry 256 t + x holds the costs of the flips that make byte t of `own` x.
/// Begins and ends with a sync.
/// @param own     [kFlipLanes] preferred signs, each < 2^v; a lane without sub-vector has zeros
/// @param costs   [v], costs[b].lane[r] is what flipping bit b of own[r] costs, 0 to kMaxFlipCost
/// @param tables  [flip_table_entries(v)], shared by the team
template <class Team>
BTC_HD void build_flip_tables(const Team& team, const Pattern* own, const FlipCosts* costs,
                              int vector_length, FlipCosts* tables) {
  team.sync();
  const int entries = flip_table_entries(vector_length);
  for (int entry = team.rank(); entry < entries; entry += team.size()) {
    const int first = entry / 256 * 8;
    const int end = vector_length < first + 8 ? vector_length : first + 8;
    const Pattern signs = static_cast<Pattern>(entry % 256) << first;
    FlipCosts sum{};
    for (int b = first; b < end; ++b) {
      const FlipCosts cost = costs[b];
      for (std::size_t r = 0; r < kFlipLanes; ++r) {
        sum.lane[r] += (((own[r] ^ signs) >> b) & 1U) != 0 ? cost.lane[r] : 0;
      }
    }
    store_entry(tables, entries, entry, sum);
  }
  team.sync();
}

/// The cheapest codewords that one member has met, one per lane.
struct CheapestFlips {
  std::array<std::int32_t, kFlipLanes> cost;
  std::array<std::uint32_t, kFlipLanes> index;

  BTC_HD void clear() {
    for (std::size_t r = 0; r < kFlipLanes; ++r) {
      cost[r] = std::numeric_limits<std::int32_t>::max();
      index[r] = 0;
    }
  }
  /// Considers codeword `k`; those of one member come in ascending order, so the first one stays.
  BTC_HD void meet(std::uint32_t k, const FlipCosts& sum) {
    for (std::size_t r = 0; r < kFlipLanes; ++r) {
      if (sum.lane[r] < cost[r]) {
        cost[r] = sum.lane[r];
        index[r] = k;
      }
    }
  }
};

/// What turning each lane's signs into `codeword` costs.
BTC_HD inline FlipCosts flip_costs(Pattern codeword, int vector_length, const FlipCosts* tables) {
  const int entries = flip_table_entries(vector_length);
  FlipCosts sum = load_entry(tables, entries, static_cast<int>(codeword & 255U));
  for (int first = 8; first < vector_length; first += 8) {
    const auto byte = static_cast<int>((codeword >> first) & 255U);
    const FlipCosts more = load_entry(tables, entries, first / 8 * 256 + byte);
    for (std::size_t r = 0; r < kFlipLanes; ++r) {
      sum.lane[r] += more.lane[r];
    }
  }
  return sum;
}

/// Searches all codewords for every lane. Ends with a sync, after which all members read `keys`.
/// @param codewords  [c], 1 <= c <= 2^24, each < 2^v
/// @param tables     of `build_flip_tables`
/// @param keys       [kFlipLanes], shared by the team: cost << kFlipIndexBits | index
template <class Team>
BTC_HD void nearest_codewords(const Team& team, std::span<const Pattern> codewords,
                              int vector_length, const FlipCosts* tables, std::uint64_t* keys) {
  constexpr std::uint32_t kAhead = 4;  // codewords that are fetched before the first is used
  const auto count = static_cast<std::uint32_t>(codewords.size());
  const auto size = static_cast<std::uint32_t>(team.size());
  const Pattern* const words = codewords.data();
  CheapestFlips best;
  best.clear();
  auto k = static_cast<std::uint32_t>(team.rank());
  for (; k + (kAhead - 1) * size < count; k += kAhead * size) {
    std::array<Pattern, kAhead> word;
    for (std::uint32_t i = 0; i < kAhead; ++i) {
      word[i] = words[k + i * size];
    }
    for (std::uint32_t i = 0; i < kAhead; ++i) {
      best.meet(k + i * size, flip_costs(word[i], vector_length, tables));
    }
  }
  for (; k < count; k += size) {
    best.meet(k, flip_costs(words[k], vector_length, tables));
  }
  for (std::size_t r = 0; r < kFlipLanes; ++r) {
    const std::uint64_t key =
        (static_cast<std::uint64_t>(best.cost[r]) << kFlipIndexBits) | best.index[r];
    const std::uint64_t lowest = team.lowest(key);
    if (team.rank() == 0) {
      keys[r] = lowest;
    }
  }
  team.sync();
}

}  // namespace btc::cuda
