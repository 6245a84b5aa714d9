#pragma once
/// The weighted search of eight neighbouring sub-vectors.

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

#include "common/matrix.hpp"
#include "common/pattern.hpp"
#include "cuda/host_device.hpp"
#include "cuda/kmeans/weighted_scan.hpp"

namespace btc::cuda {

/// What the members of a team share besides the flip tables.
struct WeightedScratch {
  std::array<Pattern, kFlipLanes> own;
  std::array<FlipCosts, kMaxVectorLength> costs;
  std::array<std::uint64_t, kFlipLanes> keys;
};

/// Questions and answers of a weighted search, all on the device.
struct WeightedQuery {
  std::span<const Pattern> codewords;
  std::span<const Pattern> own;          ///< [N]
  MatrixView<const std::int32_t> costs;  ///< [N, v]
  std::uint32_t* index = nullptr;        ///< [N]
};

/// Answers sub-vectors [first, first + kFlipLanes) that exist.
/// @param tables  [flip_table_entries(v)], shared by the team as `scratch` is
template <class Team>
BTC_HD void search_weighted(const Team& team, const WeightedQuery& query, std::size_t first,
                            FlipCosts* tables, WeightedScratch& scratch) {
  const std::size_t v = query.costs.cols();
  const std::size_t left = query.own.size() - first;
  const std::size_t lanes = left < kFlipLanes ? left : kFlipLanes;
  const auto rank = static_cast<std::size_t>(team.rank());
  const auto size = static_cast<std::size_t>(team.size());
  for (std::size_t i = rank; i < kFlipLanes * v; i += size) {
    const std::size_t r = i / v;
    scratch.costs[i % v].lane[r] = r < lanes ? query.costs(first + r, i % v) : 0;
  }
  for (std::size_t r = rank; r < kFlipLanes; r += size) {
    scratch.own[r] = r < lanes ? query.own.data()[first + r] : 0;
  }
  const int bits = static_cast<int>(v);
  build_flip_tables(team, scratch.own.data(), scratch.costs.data(), bits, tables);
  nearest_codewords(team, query.codewords, bits, tables, scratch.keys.data());
  for (std::size_t r = rank; r < lanes; r += size) {
    query.index[first + r] = static_cast<std::uint32_t>(scratch.keys[r]) & kFlipIndexMask;
  }
}

}  // namespace btc::cuda
