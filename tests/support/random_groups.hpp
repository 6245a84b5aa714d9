#pragma once
/// Random groups of a panel's entries.

#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

#include "backend/panel.hpp"
#include "common/rng.hpp"

namespace btc::test {

/// Each entry in one of `count` groups, those of the salient columns in one of `salient_count`.
inline PanelGroups random_groups(std::size_t rows, std::size_t cols, std::size_t count,
                                 std::vector<std::uint32_t> salient, Rng& rng,
                                 std::size_t salient_count = 1) {
  PanelGroups groups;
  groups.count = count;
  groups.salient_count = salient_count;
  groups.salient = std::move(salient);
  groups.group = Matrix<std::uint8_t>(rows, cols);
  for (auto& g : groups.group.values()) {
    g = static_cast<std::uint8_t>(rng.below(count));
  }
  for (std::size_t i = 0; i < rows; ++i) {
    for (const auto j : groups.salient) {
      groups.group(i, j) = salient_code(rng.below(salient_count));
    }
  }
  return groups;
}

}  // namespace btc::test
