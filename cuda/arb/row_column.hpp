#pragma once
/// Row scales times column scales of a panel's groups (as `backend/row_column_fit`). A row's sums
/// are one thread's, in ascending columns; a column's are those of tiles of rows, then of tiles, so
/// they have another order than the reference's. Every group of one kind goes in one launch: they
/// have no entry in common.

#include "cuda/arb/fit.hpp"

namespace btc::cuda {

/// @tparam kPlanes 1: groups; 2: salient groups. A slot is one of them.
template <std::size_t kPlanes>
struct RowColumnTask {
  std::size_t rows = 0;
  std::size_t width = 0;
  std::size_t slots = 0;
  const float* x = nullptr;             ///< tiled [n, k]
  const std::uint8_t* group = nullptr;  ///< tiled [n, k]
  std::uint8_t* planes = nullptr;       ///< tiled [n, k], sign bits
  double* row = nullptr;                ///< [slots, planes, n]
  double* column = nullptr;             ///< [slots, planes, k]
  double* used = nullptr;               ///< [slots, k], number of entries
  double* part = nullptr;               ///< [slots, k, 3, tiles], sums of tiles

  [[nodiscard]] BTC_HD std::size_t tiles() const { return ceil_div(rows, kTileRows); }
  [[nodiscard]] BTC_HD bool inside(std::size_t slot, std::size_t i, std::size_t j) const {
    return group[tile_index(i, j, width)] == (kPlanes == 1 ? slot : kSalientGroup - slot);
  }
  [[nodiscard]] BTC_HD double& row_scale(std::size_t slot, std::size_t plane, std::size_t i) const {
    return row[(slot * kPlanes + plane) * rows + i];
  }
  [[nodiscard]] BTC_HD double& column_scale(std::size_t slot, std::size_t plane,
                                            std::size_t j) const {
    return column[(slot * kPlanes + plane) * width + j];
  }
  /// `value` with the sign of entry (i, j) in this plane.
  [[nodiscard]] BTC_HD double signed_by(std::size_t plane, std::size_t i, std::size_t j,
                                        double value) const {
    return (planes[tile_index(i, j, width)] & plane_bit(plane)) != 0 ? value : -value;
  }
  /// What the other plane leaves, if there is another one whose scales count.
  [[nodiscard]] BTC_HD double target(std::size_t slot, std::size_t plane, std::size_t i,
                                     std::size_t j, bool other_counts) const {
    const auto value = static_cast<double>(x[tile_index(i, j, width)]);
    if (kPlanes == 1 || !other_counts) {
      return value;
    }
    const std::size_t other = 1 - plane;
    return value - signed_by(other, i, j, row_scale(slot, other, i) * column_scale(slot, other, j));
  }
  static constexpr std::uint8_t plane_bit(std::size_t plane) {
    return plane == 0 ? kFirstPlane : kSecondPlane;
  }
};

/// Row scale and signs of a row to begin with; of what the planes before leave.
template <std::size_t kPlanes>
BTC_HD void start_row(const RowColumnTask<kPlanes>& task, std::size_t slot, std::size_t plane,
                      std::size_t i) {
  double total = 0;
  double entries = 0;
  for (std::size_t j = 0; j < task.width; ++j) {
    if (!task.inside(slot, i, j)) {
      continue;
    }
    const double x = task.target(slot, plane, i, j, plane > 0);
    total += std::fabs(x);
    entries += 1;
    std::uint8_t& bits = task.planes[tile_index(i, j, task.width)];
    const auto before = static_cast<std::uint8_t>(plane > 0 ? bits : 0);
    bits = static_cast<std::uint8_t>(x >= 0 ? before | task.plane_bit(plane) : before);
  }
  task.row_scale(slot, plane, i) = entries > 0 ? total / entries : 0.0;
}

/// Least squares of a row scale.
template <std::size_t kPlanes>
BTC_HD void update_row(const RowColumnTask<kPlanes>& task, std::size_t slot, std::size_t plane,
                       std::size_t i) {
  double above = 0;
  double below = fit_detail::kTiny;
  for (std::size_t j = 0; j < task.width; ++j) {
    if (task.inside(slot, i, j)) {
      const double scale = task.column_scale(slot, plane, j);
      above += task.signed_by(plane, i, j, scale) * task.target(slot, plane, i, j, true);
      below += scale * scale;
    }
  }
  task.row_scale(slot, plane, i) = above / below;
}

/// Sums of column j over one tile of rows, a row for each member. To begin with (`start`): of
/// |x / row scale|, of the rows that have a scale, and of all; later: the products of least
/// squares.
template <class Team, std::size_t kPlanes>
BTC_HD void sum_column_of_tile(const Team& team, const RowColumnTask<kPlanes>& task,
                               std::size_t slot, std::size_t plane, std::size_t j, std::size_t tile,
                               bool start) {
  double above = 0;
  double below = 0;
  double entries = 0;
  for (auto lane = static_cast<std::size_t>(team.rank()); lane < kTileRows;
       lane += static_cast<std::size_t>(team.size())) {
    const std::size_t i = tile * kTileRows + lane;
    if (i >= task.rows || !task.inside(slot, i, j)) {
      continue;
    }
    const double scale = task.row_scale(slot, plane, i);
    entries += 1;
    if (!start) {
      above += task.signed_by(plane, i, j, scale) * task.target(slot, plane, i, j, true);
      below += scale * scale;
    } else if (scale > 0) {
      above += std::fabs(task.target(slot, plane, i, j, plane > 0)) / scale;
      below += 1;
    }
  }
  above = team.sum(above);
  below = team.sum(below);
  entries = start ? team.sum(entries) : 0;
  if (team.rank() == 0) {
    double* const part = task.part + (slot * task.width + j) * 3 * task.tiles() + tile;
    part[0] = above;
    part[task.tiles()] = below;
    part[2 * task.tiles()] = entries;
  }
}

/// Column scale from the sums of all tiles.
template <class Team, std::size_t kPlanes>
BTC_HD void finish_column(const Team& team, const RowColumnTask<kPlanes>& task, std::size_t slot,
                          std::size_t plane, std::size_t j, bool start) {
  const std::size_t tiles = task.tiles();
  const double* const part = task.part + (slot * task.width + j) * 3 * tiles;
  double sums[3] = {0, 0, 0};
  for (std::size_t s = 0; s < (start ? 3 : 2); ++s) {
    for (auto tile = static_cast<std::size_t>(team.rank()); tile < tiles;
         tile += static_cast<std::size_t>(team.size())) {
      sums[s] += part[s * tiles + tile];
    }
    sums[s] = team.sum(sums[s]);
  }
  if (team.rank() == 0) {
    if (start) {
      task.used[slot * task.width + j] = sums[2];
      task.column_scale(slot, plane, j) = sums[1] > 0 ? sums[0] / sums[1] : 0.0;
    } else {
      task.column_scale(slot, plane, j) = sums[0] / (sums[1] + fit_detail::kTiny);
    }
  }
}

/// Planes of one entry, number `at` in tile order: the nearest of the four values.
BTC_HD inline void choose_planes(const RowColumnTask<2>& task, std::size_t at) {
  if (!is_salient(task.group[at])) {  // all past the last row too
    return;
  }
  const std::size_t i = at / (task.width * kTileRows) * kTileRows + at % kTileRows;
  const std::size_t j = at / kTileRows % task.width;
  const std::size_t slot = salient_group(task.group[at]);
  if (slot < task.slots) {
    const GroupFit values{0, task.row_scale(slot, 0, i) * task.column_scale(slot, 0, j),
                          task.row_scale(slot, 1, i) * task.column_scale(slot, 1, j)};
    task.planes[at] = fit_detail::nearest_of_four(static_cast<double>(task.x[at]), values);
  }
}

}  // namespace btc::cuda
