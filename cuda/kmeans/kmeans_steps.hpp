#pragma once
/// The two steps of binary k-means after the nearest-centroid table is made.

#include <cstddef>
#include <cstdint>

#include "common/pattern.hpp"
#include "cuda/host_device.hpp"

namespace btc::cuda {

/// Overwrites entries [begin, end) of `assignment` by their patterns' labels.
/// @param labels  [2^v]
/// @return how many entries changed, for every member of the team
template <class Team>
BTC_HD std::uint64_t relabel(const Team& team, const Pattern* patterns, const std::uint32_t* labels,
                             std::size_t begin, std::size_t end, std::uint32_t* assignment) {
  std::uint64_t changed = 0;
  for (std::size_t i = begin + static_cast<std::size_t>(team.rank()); i < end;
       i += static_cast<std::size_t>(team.size())) {
    const std::uint32_t label = labels[patterns[i]];
    changed += label != assignment[i] ? 1 : 0;
    assignment[i] = label;
  }
  return team.sum(changed);
}

/// Adds a pattern to the counts of its cluster: [v] how often each bit is 1, then the total.
/// @param add  add(std::uint64_t* to, std::uint64_t x); other teams add to the same counts
template <class Team, class Add>
BTC_HD void add_to_cluster(const Team& team, Pattern pattern, std::uint64_t count,
                           int vector_length, std::uint64_t* cluster, const Add& add) {
  for (int b = team.rank(); b <= vector_length; b += team.size()) {
    if (b == vector_length || ((pattern >> b) & 1U) != 0) {
      add(cluster + b, count);
    }
  }
}

/// Sign of the count-weighted sum of each bit, tie -> +1; `centroid` where the cluster is empty.
/// @param cluster  of `add_to_cluster`
BTC_HD inline Pattern majority_signs(const std::uint64_t* cluster, int vector_length,
                                     Pattern centroid) {
  const std::uint64_t total = cluster[vector_length];
  if (total == 0) {
    return centroid;
  }
  Pattern signs = 0;
  for (int b = 0; b < vector_length; ++b) {
    const std::uint64_t plus = cluster[b];
    signs |= (plus >= total - plus ? Pattern{1} : Pattern{0}) << b;
  }
  return signs;
}

}  // namespace btc::cuda
