#pragma once
/// Codeword with the smallest sum of flip costs, for one sub-vector at a time.

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "backend/cpu/nearest_table.hpp"
#include "common/pattern.hpp"

namespace btc {

/// Exact search by growing sets of flips from the cheapest positions on.
///
/// With costs sorted, stage j knows every set of flips among positions < j that could still be part
/// of the answer. A set with position j costs at least cost j: once the best codeword found is
/// cheaper than that, it is the answer. About 2^v / c patterns are tested, each in a bitmap of the
/// codewords. Where ties let the sets grow too many, or codewords are few, all codewords are
/// scanned instead.
class FlipSearch {
 public:
  static constexpr std::size_t kMaxSets = 8192;

  /// Working memory of one thread; need not be initialised.
  struct Scratch {
    /// Sets of flips: the pattern they give and what they cost.
    struct Sets {
      std::array<Pattern, kMaxSets> pattern;
      std::array<std::uint32_t, kMaxSets> cost;
    };
    std::array<Sets, 2> sets;
  };

  /// @param codewords [c] and `table`, built on them, live as long as this
  FlipSearch(std::span<const Pattern> codewords, int vector_length, const NearestTable& table);

  /// Label of the cheapest codeword, lowest on ties.
  /// @param costs [v], each in [0, kMaxFlipCost]
  /// @throws InputError for other costs
  [[nodiscard]] std::uint32_t cheapest(Pattern own, std::span<const std::int32_t> costs,
                                       Scratch& scratch) const;

 private:
  template <std::size_t Width>
  [[nodiscard]] std::uint32_t cheapest_of_width(Pattern own, std::span<const std::int32_t> costs,
                                                Scratch& scratch) const;
  [[nodiscard]] std::uint32_t scan(Pattern own, std::span<const std::int32_t> costs) const;

  std::span<const Pattern> codewords_;
  int vector_length_;
  bool scan_is_cheaper_;
  std::size_t max_sets_;  ///< so many sets are dearer than a scan
  const NearestTable& table_;
  std::vector<std::uint32_t> bitmap_;  ///< 1 where a pattern is a codeword
};

}  // namespace btc
