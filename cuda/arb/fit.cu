#include <algorithm>
#include <cstddef>
#include <vector>

#include "backend/fit_groups.hpp"
#include "cuda/arb/fit_panel.hpp"
#include "cuda/arb/fit_salient.hpp"
#include "cuda/arb/fit_sums.hpp"
#include "cuda/arb/row_column.cuh"
#include "cuda/arb/session.cuh"
#include "cuda/runtime/launch.cuh"
#include "cuda/runtime/team.cuh"

namespace btc::cuda {
namespace {

constexpr int kThreads = 128;

/// Lanes for each row and group of a fit on sums: with fewer, 4096 rows have too few warps to hide
/// latencies; with more, most of a team repeats the same sweeps on scalars.
constexpr int kSumLanes = 8;
constexpr int kSumBlocks = 9;  ///< of a multiprocessor at once; more would spill registers
constexpr std::size_t kMostSharedBytes = std::size_t{48} << 10U;

__device__ std::size_t thread_in_grid() {
  return static_cast<std::size_t>(blockIdx.x) * blockDim.x + threadIdx.x;
}

template <typename T>
__global__ void tile_kernel(const T* from, std::size_t rows, std::size_t width, std::size_t size,
                            T* to) {
  const std::size_t at = thread_in_grid();
  if (at < size) {
    to_tiles(from, rows, width, at, to);
  }
}

/// A warp for each tile of rows and slot, so that its lanes take the same way through the rules.
__global__ void __launch_bounds__(kThreads) fit_kernel(FitTask task) {
  const std::size_t warp = warp_in_grid();
  const std::size_t i = warp / task.slots() * kTileRows + threadIdx.x % kTileRows;
  if (i < task.rows) {
    fit_slot(task, i, warp % task.slots());
  }
}

/// A warp for each few rows and one group, as many rows as it has teams.
__global__ void __launch_bounds__(kThreads, kSumBlocks) fit_sums_kernel(AlternatingTask task) {
  constexpr unsigned kRows = kWarpSize / kSumLanes;
  extern __shared__ float entries[];
  const auto warp = static_cast<unsigned>(warp_in_grid());
  const auto groups = static_cast<unsigned>(task.groups);
  const std::size_t first = std::size_t{warp / groups} * kRows;
  if (first < task.rows) {  // of all lanes alike
    fit_group_by_sums(WarpPartTeam<kSumLanes>(), task, first + threadIdx.x % kWarpSize / kSumLanes,
                      warp % groups, entries + threadIdx.x, kThreads);
  }
}

/// A block of one warp, on a multiprocessor of its own while there are, for each tile of rows and
/// salient group.
__global__ void __launch_bounds__(kTileRows) fit_salient_kernel(AlternatingTask task) {
  extern __shared__ float entries[];  // [K, kTileRows], then as many sign bytes
  auto* const planes = reinterpret_cast<std::uint8_t*>(entries + task.salient_columns * kTileRows);
  const std::size_t i = blockIdx.x / task.salient_groups * kTileRows + threadIdx.x;
  if (i < task.rows) {
    fit_salient(task, i, blockIdx.x % task.salient_groups, entries + threadIdx.x,
                planes + threadIdx.x);
  }
}

/// [rows, row_bytes]
__global__ void pack_kernel(const std::uint8_t* entry_planes, std::size_t rows, std::size_t width,
                            const std::uint32_t* columns, std::size_t count, std::uint8_t plane,
                            std::uint8_t* bytes) {
  const std::size_t row_bytes = ceil_div(count, 8);
  const std::size_t at = thread_in_grid();
  if (at < rows * row_bytes) {
    bytes[at] =
        packed_plane(entry_planes + at / row_bytes * width, columns, count, plane, at % row_bytes);
  }
}

template <typename T>
DeviceArray<T> tiled(const Context& context, MatrixView<const T> values) {
  const DeviceMatrix<T> rows(context, values);
  DeviceArray<T> result(context, tiled_size(values.rows(), values.cols()));
  launch(context, {ceil_div(result.size(), kThreads), kThreads}, tile_kernel<T>, rows.view().data(),
         values.rows(), values.cols(), result.size(), result.data());
  return result;
}

/// Scales of a fit on the device, side by side, so that one copy brings them home.
class DeviceScales {
 public:
  DeviceScales(const Context& context, const PanelScales& scales)
      : alpha_(scales.alpha.size()),
        salient_alpha_(scales.salient_alpha.size()),
        values_(context, 2 * alpha_ + salient_alpha_ + scales.salient_mu.size()) {}

  template <typename Task>
  void give_to(Task& task) const {
    task.alpha = values_.data();
    task.mu = task.alpha + alpha_;
    task.salient_alpha = task.mu + alpha_;
    task.salient_mu = task.salient_alpha + salient_alpha_;
  }
  /// @param scales of the shapes that the constructor saw
  void download(PanelScales& scales) const {
    const std::vector<float> values = values_.to_vector();
    auto from = values.begin();
    const auto take = [&](std::vector<float>& to) {
      std::copy_n(from, to.size(), to.begin());
      from += static_cast<std::ptrdiff_t>(to.size());
    };
    take(scales.alpha.values());
    take(scales.mu.values());
    take(scales.salient_alpha.values());
    take(scales.salient_mu);
  }

 private:
  std::size_t alpha_;
  std::size_t salient_alpha_;
  DeviceArray<float> values_;
};

/// Sign bits of a fit on the device [n, k]; none unless the rule keeps its own.
class DevicePlanes {
 public:
  DevicePlanes(const Context& context, const PanelCode& code)
      : context_(&context), planes_(context, code.group.size()) {
    planes_.fill_bytes(0);  // entries without a group
  }
  [[nodiscard]] std::uint8_t* data() const { return planes_.data(); }
  void download(const PanelGroups& groups, PanelCode& code) const {
    if (planes_.empty()) {
      return;
    }
    const DeviceArray<std::uint32_t> salient(*context_, groups.salient);
    download_plane(kFirstPlane, nullptr, code.group.cols(), code.signs);
    download_plane(kSecondPlane, salient.data(), salient.size(), code.residual);
    context_->wait();
  }

 private:
  void download_plane(std::uint8_t plane, const std::uint32_t* columns, std::size_t count,
                      BitMatrix& to) const {
    const DeviceArray<std::uint8_t> bytes(*context_, to.bytes().size());
    launch(*context_, {ceil_div(bytes.size(), kThreads), kThreads}, pack_kernel, planes_.data(),
           to.rows(), planes_.size() / to.rows(), columns, count, plane, bytes.data());
    bytes.download(to.bytes());
  }

  const Context* context_;
  DeviceArray<std::uint8_t> planes_;
};

std::size_t salient_groups_of(const PanelGroups& groups) {
  return groups.salient.empty() ? 0 : groups.salient_count;
}

/// Fits row by row, for the rules that have no column scales, into the room of `result`.
void fit_rows_of(const Context& context, const TiledPanel& panel, const PanelGroups& groups,
                 const FitParams& params, PanelFit& result) {
  const bool own_signs = keeps_own_signs(params.rule);
  const std::size_t size = tiled_size(panel.rows, panel.width);
  const DeviceArray<float> entries(context, size);
  const DeviceArray<std::uint8_t> planes(context, size);
  const DeviceArray<std::uint32_t> columns(context, own_signs ? size : 0);
  const DeviceMatrix<float> gram(
      context, params.rule == FitRule::kArbX ? params.gram : MatrixView<const float>());
  const DeviceScales scales(context, result.scales);
  const DevicePlanes entry_planes(context, result.code);
  FitTask task;
  task.rows = panel.rows;
  task.width = panel.width;
  task.groups = groups.count;
  task.salient_groups = salient_groups_of(groups);
  task.rule = params.rule;
  task.solver = params.solver;
  task.iterations = params.iterations;
  task.gram = gram.view();
  task.x = panel.x;
  task.group = panel.group;
  task.entries = entries.data();
  task.planes = planes.data();
  task.columns = columns.data();
  task.entry_planes = entry_planes.data();
  scales.give_to(task);
  const std::size_t warps = ceil_div(panel.rows, kTileRows) * task.slots();
  launch(context, {ceil_div(warps * kTileRows, kThreads), kThreads}, fit_kernel, task);
  scales.download(result.scales);
  entry_planes.download(groups, result.code);
}

/// Shared memory of a block of `fit_sums_kernel`.
std::size_t sum_fit_bytes(std::size_t width) {
  return kThreads * entries_per_member(width, kSumLanes) * sizeof(float);
}

/// Shared memory of a block of `fit_salient_kernel`. @param columns K
std::size_t salient_fit_bytes(std::size_t columns) {
  return columns * kTileRows * (sizeof(float) + sizeof(std::uint8_t));
}

/// Whether `fit_alternating_panel` does this fit, and can have the shared memory that it needs.
bool alternates_in_shared_memory(const PanelGroups& groups, const FitParams& params) {
  return params.rule == FitRule::kArb && params.solver == FitSolver::kIterative &&
         sum_fit_bytes(groups.group.cols()) <= kMostSharedBytes &&
         salient_fit_bytes(groups.salient.size()) <= kMostSharedBytes;
}

/// The iterative fit of kArb. @param x [n, k], on the device
/// @pre alternates_in_shared_memory
void fit_alternating_panel(const Context& context, const DeviceMatrix<float>& x,
                           const PanelGroups& groups, int iterations, PanelScales& result) {
  const DeviceMatrix<std::uint8_t> group(context, groups.group);
  const DeviceArray<std::uint32_t> salient(context, groups.salient);
  const DeviceScales scales(context, result);
  AlternatingTask task;
  task.rows = x.rows();
  task.width = x.cols();
  task.groups = groups.count;
  task.salient_groups = salient_groups_of(groups);
  task.salient_columns = salient.size();
  task.iterations = iterations;
  task.x = x.view().data();
  task.group = group.view().data();
  task.salient = salient.data();
  scales.give_to(task);
  const std::size_t warps = ceil_div(x.rows(), kWarpSize / kSumLanes) * task.groups;
  launch(context, {ceil_div(warps * kWarpSize, kThreads), kThreads, sum_fit_bytes(x.cols())},
         fit_sums_kernel, task);
  launch(context,
         {ceil_div(x.rows(), kTileRows) * task.salient_groups, kTileRows,
          salient_fit_bytes(salient.size())},
         fit_salient_kernel, task);
  scales.download(result);
}

}  // namespace

PanelFit ArbSession::fit(MatrixView<const float> x, const PanelGroups& groups,
                         const FitParams& params) {
  context_->make_current();
  const bool row_column = params.rule == FitRule::kArbRc;
  if (row_column && (x.rows() == 0 || x.cols() == 0)) {
    return fit_row_column_panel(x, groups, params.iterations);
  }
  PanelFit result = row_column ? PanelFit() : empty_fit(x, groups, keeps_own_signs(params.rule));
  fit_rows(x, groups, params, 0, 0, result);  // no row: the checks of the parameters
  if (x.rows() == 0 || x.cols() == 0) {
    return result;
  }
  if (alternates_in_shared_memory(groups, params)) {
    fit_alternating_panel(*context_, DeviceMatrix<float>(*context_, x), groups, params.iterations,
                          result.scales);
    return result;
  }
  const DeviceArray<float> tiled_x = tiled<float>(*context_, x);
  const DeviceArray<std::uint8_t> tiled_group = tiled<std::uint8_t>(*context_, groups.group.view());
  const TiledPanel panel{x.rows(), x.cols(), tiled_x.data(), tiled_group.data()};
  if (row_column) {
    return row_column_panel(
        groups, fit_row_column_parts(*context_, panel, groups.count, salient_groups_of(groups),
                                     params.iterations));
  }
  fit_rows_of(*context_, panel, groups, params, result);
  return result;
}

PanelFit ArbSession::fit_weights(Panel panel, const PanelGroups& groups, const FitParams& params) {
  if (rows() == 0 || panel.width() == 0 || !alternates_in_shared_memory(groups, params)) {
    return fit(weights(panel).view(), groups, params);
  }
  context_->make_current();
  const MatrixView<const float> shape(nullptr, rows(), panel.width());
  PanelFit result = empty_fit(shape, groups, false);
  fit_rows(shape, groups, params, 0, 0, result);  // no row: the checks of the parameters
  fit_alternating_panel(*context_, packed(*context_, columns(panel)), groups, params.iterations,
                        result.scales);
  return result;
}

}  // namespace btc::cuda
