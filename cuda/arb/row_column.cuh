#pragma once
/// Row and column scales of a panel's groups on the device.

#include <cstdint>
#include <vector>

#include "backend/row_column_fit.hpp"
#include "cuda/runtime/context.cuh"

namespace btc::cuda {

/// A panel on the device, in tile order (`tile_index`).
struct TiledPanel {
  std::size_t rows = 0;
  std::size_t width = 0;
  const float* x = nullptr;
  const std::uint8_t* group = nullptr;
};

/// As `btc::fit_row_column` without signs, of each group, then of each salient group.
std::vector<RowColumnFit> fit_row_column_parts(const Context& context, const TiledPanel& panel,
                                               std::size_t groups, std::size_t salient_groups,
                                               int iterations);

}  // namespace btc::cuda
