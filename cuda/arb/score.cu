#include "cuda/arb/score.hpp"

#include <algorithm>

#include "cuda/arb/session.cuh"
#include "cuda/runtime/column_sums.cuh"
#include "cuda/runtime/launch.cuh"
#include "cuda/runtime/team.cuh"

namespace btc::cuda {
namespace {

constexpr std::size_t kWarps = 4;  // of a block
/// Warps of a launch, each with rows a fixed distance apart and sums of its own; the results may
/// depend on this number, so it is not the device's.
constexpr std::size_t kMostWarps = 4096;

struct ScratchView {
  float* floats;    // [warps, 2 k]
  double* doubles;  // [warps, k + 1]
  std::size_t width;

  __device__ RowScratch of(std::size_t warp) const {
    float* const f = floats + warp * 2 * width;
    return {f, f + width, doubles + warp * (width + 1)};
  }
};

__device__ void score_row(const WarpTeam& team, const SalientTask& task, std::size_t i,
                          const RowScratch& row, std::span<double> scores) {
  score_salient_row(team, task, i, row, scores);
}
__device__ void score_row(const WarpTeam& team, const SplitTask& task, std::size_t i,
                          const RowScratch& row, std::span<double> scores) {
  score_splits_row(team, task, i, row, scores);
}

/// @param scores [warps, C], zeros at first
template <typename Task>
__global__ void __launch_bounds__(kWarps* kWarpSize)
    score_kernel(Task task, ScratchView scratch, MatrixView<double> scores) {
  const std::size_t warp = warp_in_grid();
  if (warp >= scores.rows()) {
    return;
  }
  for (std::size_t i = warp; i < task.w.rows(); i += scores.rows()) {
    score_row(WarpTeam(), task, i, scratch.of(warp), scores.row(warp));
  }
}

/// Means over the panel of the errors that the task's rows have. @param count C
template <typename Task>
std::vector<double> mean_errors(const Context& context, const Task& task, std::size_t count) {
  const std::size_t width = task.w.cols();
  const std::size_t warps = std::min(task.w.rows(), kMostWarps);
  const DeviceArray<float> floats(context, warps * 2 * width);
  const DeviceArray<double> doubles(context, warps * (width + 1));
  DeviceMatrix<double> scores(context, warps, count);
  scores.array().fill_bytes(0);
  launch(context, {ceil_div(warps, kWarps), static_cast<int>(kWarps) * kWarpSize},
         score_kernel<Task>, task, ScratchView{floats.data(), doubles.data(), width},
         scores.view());
  std::vector<double> result = column_sums(context, std::move(scores));
  for (double& value : result) {
    value /= static_cast<double>(task.w.rows() * width);
  }
  return result;
}

}  // namespace

std::vector<double> ArbSession::score_salient(Panel panel, std::span<const std::uint32_t> order,
                                              std::size_t max_count) {
  BTC_CHECK(order.size() == panel.width() && max_count <= panel.width(), "order of ", order.size(),
            " columns, at most ", max_count, " salient, for a panel of ", panel.width());
  context_->make_current();
  const DeviceArray<std::uint32_t> device_order(*context_, order);
  return mean_errors(*context_, SalientTask{columns(panel), diagonal(panel), device_order.data()},
                     max_count);
}

std::vector<double> ArbSession::score_splits(Panel panel, const SplitState& state,
                                             MatrixView<const float> candidates) {
  context_->make_current();
  const DeviceMatrix<std::uint8_t> available(*context_, state.available);
  const DeviceMatrix<float> fixed(*context_, state.fixed);
  const DeviceMatrix<float> device_candidates(*context_, candidates);
  return mean_errors(*context_,
                     SplitTask{columns(panel), diagonal(panel), available.view(), fixed.view(),
                               device_candidates.view()},
                     candidates.rows());
}

}  // namespace btc::cuda
