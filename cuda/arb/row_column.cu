#include "cuda/arb/row_column.hpp"

#include "cuda/arb/row_column.cuh"
#include "cuda/runtime/array.cuh"
#include "cuda/runtime/launch.cuh"
#include "cuda/runtime/team.cuh"

namespace btc::cuda {
namespace {

constexpr int kThreads = 128;

/// A warp for each tile of rows and slot, a row for each lane.
template <std::size_t kPlanes>
__global__ void row_kernel(RowColumnTask<kPlanes> task, std::size_t plane, bool start) {
  const std::size_t slot = warp_in_grid() / task.tiles();
  const std::size_t i = warp_in_grid() % task.tiles() * kTileRows + threadIdx.x % kTileRows;
  if (slot >= task.slots || i >= task.rows) {
    return;
  }
  if (start) {
    start_row(task, slot, plane, i);
  } else {
    update_row(task, slot, plane, i);
  }
}

/// A warp for each slot, tile of rows and column.
template <std::size_t kPlanes>
__global__ void tile_sum_kernel(RowColumnTask<kPlanes> task, std::size_t plane, bool start) {
  const auto warp = static_cast<unsigned>(warp_in_grid());  // quicker to divide
  const auto width = static_cast<unsigned>(task.width);
  const auto tiles = static_cast<unsigned>(task.tiles());
  const std::size_t j = warp % width;
  const std::size_t tile = warp / width % tiles;
  const std::size_t slot = warp / width / tiles;
  if (slot < task.slots) {
    sum_column_of_tile(WarpTeam(), task, slot, plane, j, tile, start);
  }
}

/// A warp for each slot and column.
template <std::size_t kPlanes>
__global__ void column_kernel(RowColumnTask<kPlanes> task, std::size_t plane, bool start) {
  const std::size_t slot = warp_in_grid() / task.width;
  if (slot < task.slots) {
    finish_column(WarpTeam(), task, slot, plane, warp_in_grid() % task.width, start);
  }
}

__global__ void choose_kernel(RowColumnTask<2> task) {
  const std::size_t at = static_cast<std::size_t>(blockIdx.x) * blockDim.x + threadIdx.x;
  if (at < tiled_size(task.rows, task.width)) {
    choose_planes(task, at);
  }
}

/// Every slot of one kind.
template <std::size_t kPlanes>
class Sweeps {
 public:
  Sweeps(const Context& context, const TiledPanel& panel, std::size_t slots)
      : context_(&context),
        planes_(context, tiled_size(panel.rows, panel.width)),
        row_(context, slots * kPlanes, panel.rows),
        column_(context, slots * kPlanes, panel.width),
        used_(context, slots, panel.width),
        part_(context, slots * panel.width * 3 * ceil_div(panel.rows, kTileRows)),
        task_{panel.rows,
              panel.width,
              slots,
              panel.x,
              panel.group,
              planes_.data(),
              row_.view().data(),
              column_.view().data(),
              used_.view().data(),
              part_.data()} {}

  void run(int iterations) {
    for (std::size_t plane = 0; plane < kPlanes; ++plane) {
      update(plane, true);
    }
    for (int sweep = 0; sweep < iterations; ++sweep) {
      for (std::size_t plane = 0; plane < kPlanes; ++plane) {
        update(plane, false);
      }
      if constexpr (kPlanes == 2) {
        launch(*context_, {ceil_div(planes_.size(), kThreads), kThreads}, choose_kernel, task_);
      }
    }
  }

  /// Appends the fit of each slot, without signs.
  void download(std::vector<RowColumnFit>& parts) const {
    const Matrix<double> row = row_.to_matrix();
    const Matrix<double> column = column_.to_matrix();
    const Matrix<double> used = used_.to_matrix();
    for (std::size_t slot = 0; slot < task_.slots; ++slot) {
      RowColumnFit fit{
          Matrix<double>(task_.rows, kPlanes), Matrix<double>(kPlanes, task_.width), {}};
      for (std::size_t plane = 0; plane < kPlanes; ++plane) {
        for (std::size_t i = 0; i < task_.rows; ++i) {
          fit.row(i, plane) = row(slot * kPlanes + plane, i);
        }
        for (std::size_t j = 0; j < task_.width; ++j) {
          fit.column(plane, j) = column(slot * kPlanes + plane, j);
        }
      }
      std::vector<bool> has_entries(task_.width);
      for (std::size_t j = 0; j < task_.width; ++j) {
        has_entries[j] = used(slot, j) > 0;
      }
      normalise_columns(fit, has_entries);
      parts.push_back(std::move(fit));
    }
  }

 private:
  void update(std::size_t plane, bool start) {
    const std::size_t columns = task_.slots * task_.width;
    launch(*context_, warps(task_.slots * task_.tiles()), row_kernel<kPlanes>, task_, plane, start);
    launch(*context_, warps(columns * task_.tiles()), tile_sum_kernel<kPlanes>, task_, plane,
           start);
    launch(*context_, warps(columns), column_kernel<kPlanes>, task_, plane, start);
  }
  static LaunchShape warps(std::size_t count) {
    return {ceil_div(narrow<unsigned>(count) * std::size_t{kWarpSize}, kThreads), kThreads};
  }

  const Context* context_;
  DeviceArray<std::uint8_t> planes_;
  DeviceMatrix<double> row_;
  DeviceMatrix<double> column_;
  DeviceMatrix<double> used_;
  DeviceArray<double> part_;
  RowColumnTask<kPlanes> task_;
};

}  // namespace

std::vector<RowColumnFit> fit_row_column_parts(const Context& context, const TiledPanel& panel,
                                               std::size_t groups, std::size_t salient_groups,
                                               int iterations) {
  std::vector<RowColumnFit> parts;
  Sweeps<1> first(context, panel, groups);
  first.run(iterations);
  first.download(parts);
  if (salient_groups > 0) {
    Sweeps<2> second(context, panel, salient_groups);
    second.run(iterations);
    second.download(parts);
  }
  return parts;
}

}  // namespace btc::cuda
