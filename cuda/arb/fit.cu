#include "backend/fit_groups.hpp"
#include "cuda/arb/fit_panel.hpp"
#include "cuda/arb/row_column.cuh"
#include "cuda/arb/session.cuh"
#include "cuda/runtime/launch.cuh"
#include "cuda/runtime/team.cuh"

namespace btc::cuda {
namespace {

constexpr int kThreads = 128;

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

/// Results of a fit on the device, in the shapes of `PanelFit`.
class DeviceFit {
 public:
  DeviceFit(const Context& context, const PanelFit& fit)
      : context_(&context),
        alpha_(context, fit.scales.alpha.size()),
        mu_(context, fit.scales.mu.size()),
        salient_alpha_(context, fit.scales.salient_alpha.size()),
        salient_mu_(context, fit.scales.salient_mu.size()),
        entry_planes_(context, fit.code.group.size()) {
    entry_planes_.fill_bytes(0);  // entries without a group
  }
  void give_to(FitTask& task) const {
    task.alpha = alpha_.data();
    task.mu = mu_.data();
    task.salient_alpha = salient_alpha_.data();
    task.salient_mu = salient_mu_.data();
    task.entry_planes = entry_planes_.data();
  }
  void download(const PanelGroups& groups, PanelFit& fit) const {
    alpha_.download(fit.scales.alpha.values());
    mu_.download(fit.scales.mu.values());
    salient_alpha_.download(fit.scales.salient_alpha.values());
    salient_mu_.download(fit.scales.salient_mu);
    if (!entry_planes_.empty()) {
      const DeviceArray<std::uint32_t> salient(*context_, groups.salient);
      download_plane(kFirstPlane, nullptr, fit.code.group.cols(), fit.code.signs);
      download_plane(kSecondPlane, salient.data(), salient.size(), fit.code.residual);
    }
    context_->wait();
  }

 private:
  void download_plane(std::uint8_t plane, const std::uint32_t* columns, std::size_t count,
                      BitMatrix& to) const {
    const DeviceArray<std::uint8_t> bytes(*context_, to.bytes().size());
    launch(*context_, {ceil_div(bytes.size(), kThreads), kThreads}, pack_kernel,
           entry_planes_.data(), to.rows(), entry_planes_.size() / to.rows(), columns, count, plane,
           bytes.data());
    bytes.download(to.bytes());
  }

  const Context* context_;
  DeviceArray<float> alpha_;
  DeviceArray<float> mu_;
  DeviceArray<float> salient_alpha_;
  DeviceArray<float> salient_mu_;
  DeviceArray<std::uint8_t> entry_planes_;
};

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
  const DeviceFit fit(context, result);
  FitTask task;
  task.rows = panel.rows;
  task.width = panel.width;
  task.groups = groups.count;
  task.salient_groups = groups.salient.empty() ? 0 : groups.salient_count;
  task.rule = params.rule;
  task.solver = params.solver;
  task.iterations = params.iterations;
  task.gram = gram.view();
  task.x = panel.x;
  task.group = panel.group;
  task.entries = entries.data();
  task.planes = planes.data();
  task.columns = columns.data();
  fit.give_to(task);
  const std::size_t warps = ceil_div(panel.rows, kTileRows) * task.slots();
  launch(context, {ceil_div(warps * kTileRows, kThreads), kThreads}, fit_kernel, task);
  fit.download(groups, result);
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
  const DeviceArray<float> tiled_x = tiled<float>(*context_, x);
  const DeviceArray<std::uint8_t> tiled_group = tiled<std::uint8_t>(*context_, groups.group.view());
  const TiledPanel panel{x.rows(), x.cols(), tiled_x.data(), tiled_group.data()};
  if (row_column) {
    const std::size_t salient_groups = groups.salient.empty() ? 0 : groups.salient_count;
    return row_column_panel(groups, fit_row_column_parts(*context_, panel, groups.count,
                                                         salient_groups, params.iterations));
  }
  fit_rows_of(*context_, panel, groups, params, result);
  return result;
}

}  // namespace btc::cuda
