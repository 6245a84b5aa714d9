#include "cuda/arb/refit.hpp"

#include <algorithm>
#include <type_traits>

#include "cuda/arb/panel_input.cuh"
#include "cuda/arb/session.cuh"
#include "cuda/runtime/launch.cuh"
#include "cuda/runtime/team.cuh"

namespace btc::cuda {
namespace {

/// A row that needs at most this is solved by a warp in shared memory, a larger one by a block in
/// global memory.
constexpr std::size_t kSharedBytes = std::size_t{64} << 10U;
/// Rows at work at once in global memory need at most this, if it is not one row alone.
constexpr std::size_t kGlobalBytes = std::size_t{512} << 20U;
constexpr int kBlockThreads = 256;
constexpr std::size_t kWarpsAtOnce = 32;  // of a multiprocessor
constexpr std::size_t kBlocksAtOnce = 8;

/// @param global  [gridDim.x * RefitMemory::size()], for teams that are a block
/// @param steps   [n, p]
template <class Team>
__global__ void __launch_bounds__(std::is_same_v<Team, WarpTeam> ? kWarpSize : kBlockThreads)
    refit_kernel(const __grid_constant__ RefitProblem p, double* global,
                 const __grid_constant__ MatrixView<double> steps) {
  extern __shared__ double shared[];
  double* memory = shared;
  if constexpr (!std::is_same_v<Team, WarpTeam>) {
    memory = global + blockIdx.x * RefitMemory{p.unknowns, p.u.cols()}.size();
  }
  for (std::size_t i = blockIdx.x; i < steps.rows(); i += gridDim.x) {
    refit_row(Team(), p, i, memory, steps.row(i).data());
  }
}

void launch_refit(const Context& context, const RefitProblem& problem, MatrixView<double> steps) {
  const std::size_t size = RefitMemory{problem.unknowns, problem.u.cols()}.size();
  const auto multiprocessors = narrow<std::size_t>(context.multiprocessors());
  if (size * sizeof(double) <= kSharedBytes) {
    const std::size_t blocks = std::min(steps.rows(), multiprocessors * kWarpsAtOnce);
    launch(context, {blocks, kWarpSize, size * sizeof(double)}, refit_kernel<WarpTeam>, problem,
           nullptr, steps);
    return;
  }
  const std::size_t fit = std::max<std::size_t>(1, kGlobalBytes / (size * sizeof(double)));
  const std::size_t blocks = std::min({steps.rows(), multiprocessors * kBlocksAtOnce, fit});
  const DeviceArray<double> memory(context, blocks * size);
  launch(context, {blocks, kBlockThreads, 0}, refit_kernel<BlockTeam>, problem, memory.data(),
         steps);
}

}  // namespace

PanelScales ArbSession::refit(Panel panel, const PanelGroups& groups, const PanelScales& scales,
                              const PanelCode& code) {
  context_->make_current();
  const DeviceArray<std::uint32_t> rank(*context_, salient_ranks(groups, panel.width()));
  const DeviceScales device_scales(*context_, scales);
  const DeviceArray<std::uint8_t> signs(*context_, code.signs.bytes());
  const DeviceArray<std::uint8_t> residual(*context_, code.residual.bytes());
  const DeviceMatrix<std::uint8_t> group(*context_, code.group);

  RefitProblem problem;
  problem.w = columns(panel);
  problem.u = diagonal(panel);
  problem.rank = rank.span();
  problem.scales = device_scales.view();
  problem.signs = {signs.data(), code.signs.row_bytes()};
  problem.residual = {residual.data(), code.residual.row_bytes()};
  problem.group = group.view();
  problem.groups = groups.count;
  problem.unknowns = RefitBasis{groups, scales, code}.unknowns();
  const DeviceMatrix<double> steps(*context_, rows(), problem.unknowns);
  launch_refit(*context_, problem, steps.view());

  const Matrix<double> change = steps.to_matrix();
  PanelScales result = scales;
  for (std::size_t i = 0; i < rows(); ++i) {
    add_refit_step(i, change.row(i), result);
  }
  return result;
}

}  // namespace btc::cuda
