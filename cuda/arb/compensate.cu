#include "cuda/arb/compensate.hpp"

#include <algorithm>
#include <utility>

#include "cuda/arb/session.cuh"
#include "cuda/runtime/column_sums.cuh"
#include "cuda/runtime/launch.cuh"
#include "cuda/runtime/team.cuh"

namespace btc::cuda {
namespace {

constexpr int kThreads = 256;
constexpr int kWarps = 4;  // of a block where each works on its own row
constexpr std::size_t kSharedBytes = std::size_t{48} << 10U;
constexpr std::size_t kSliceElements = std::size_t{1} << 25U;  // 256 MiB of doubles

/// A warp per row. Works in shared memory where a row fits, else in `errors` itself.
__global__ void panel_errors(MatrixView<const float> w, MatrixView<const float> q,
                             MatrixView<const float> u, Compensation kind, bool in_shared,
                             MatrixView<double> errors) {
  extern __shared__ double rows[];
  const WarpTeam team;
  const std::size_t i = warp_in_grid();
  if (i >= w.rows()) {
    return;
  }
  const std::size_t k = w.cols();
  double* const error = in_shared ? rows + threadIdx.x / kWarpSize * k : errors.row(i).data();
  panel_error(team, w.row(i), q.row(i), u, kind, error);
  for (auto j = static_cast<std::size_t>(team.rank()); in_shared && j < k; j += kWarpSize) {
    errors(i, j) = error[j];
  }
}

__global__ void widen(MatrixView<const float> from, double* to) {
  const std::size_t e = static_cast<std::size_t>(blockIdx.x) * kThreads + threadIdx.x;
  if (e < from.rows() * from.cols()) {
    to[e] = static_cast<double>(from(e / from.cols(), e % from.cols()));
  }
}

__global__ void subtract(const double* push, MatrixView<float> w) {
  const std::size_t e = static_cast<std::size_t>(blockIdx.x) * kThreads + threadIdx.x;
  if (e < w.rows() * w.cols()) {
    float& weight = w(e / w.cols(), e % w.cols());
    weight = pushed(weight, push[e]);
  }
}

/// A block per row.
__global__ void square_rows(MatrixView<const double> x, double* sums) {
  const BlockTeam team;
  double sum = 0;
  for (std::size_t j = threadIdx.x; j < x.cols(); j += blockDim.x) {
    sum += x(blockIdx.x, j) * x(blockIdx.x, j);
  }
  sum = team.sum(sum);
  if (team.rank() == 0) {
    sums[blockIdx.x] = sum;
  }
}

LaunchShape one_thread_each(std::size_t elements) {
  return {ceil_div(elements, kThreads), kThreads};
}

DeviceArray<double> widened(const Context& context, MatrixView<const float> values) {
  DeviceArray<double> result(context, values.rows() * values.cols());
  launch(context, one_thread_each(result.size()), widen, values, result.data());
  return result;
}

/// push [n, columns] := errors [n, k] u [k, columns], all row-major.
void multiply(const Context& context, MatrixView<const double> errors, const DeviceArray<double>& u,
              std::size_t columns, DeviceArray<double>& push) {
  const double one = 1;
  const double zero = 0;
  const int n = narrow<int>(errors.rows());
  const int k = narrow<int>(errors.cols());
  const int width = narrow<int>(columns);
  const auto lock = context.use_libraries();
  BTC_CUDA(cublasDgemm(context.blas(), CUBLAS_OP_N, CUBLAS_OP_N, width, n, k, &one, u.data(), width,
                       errors.data(), k, &zero, push.data(), width));
}

}  // namespace

void ArbSession::compensate(Panel panel, MatrixView<const float> q, Compensation kind) {
  if (kind == Compensation::kNone || panel.end == w_.cols()) {
    return;
  }
  context_->make_current();
  const std::size_t n = rows();
  const std::size_t k = panel.width();
  DeviceMatrix<float> quantized(*context_, q);
  DeviceMatrix<double> errors(*context_, n, k);
  const std::size_t bytes = kWarps * k * sizeof(double);
  const bool in_shared = bytes <= kSharedBytes;
  launch(*context_, {ceil_div(n, kWarps), kWarps * kWarpSize, in_shared ? bytes : 0}, panel_errors,
         columns(panel), quantized.view(), diagonal(panel), kind, in_shared, errors.view());
  const std::size_t slice = std::max<std::size_t>(1, kSliceElements / n);
  for (std::size_t begin = panel.end; begin < w_.cols(); begin += slice) {
    const std::size_t end = std::min(begin + slice, w_.cols());
    const DeviceArray<double> u = widened(
        *context_, MatrixView<const float>(u_.view()).sub(panel.begin, panel.end, begin, end));
    DeviceArray<double> push(*context_, n * (end - begin));
    multiply(*context_, errors.view(), u, end - begin, push);
    launch(*context_, one_thread_each(push.size()), subtract, push.data(),
           w_.view().columns(begin, end));
  }
}

namespace {

/// |E U^-1|^2. @param rows_of(begin, end) those rows of E, on the device
template <typename RowsOf>
double energy_by_slices(const Context& context, MatrixView<const float> u, std::size_t rows,
                        const RowsOf& rows_of) {
  const int m = narrow<int>(u.cols());
  const double one = 1;
  const DeviceArray<double> wide_u = widened(context, u);
  DeviceMatrix<double> sums(context, rows, 1);
  const std::size_t slice = std::max<std::size_t>(1, kSliceElements / u.cols());
  for (std::size_t begin = 0; begin < rows; begin += slice) {
    const std::size_t end = std::min(begin + slice, rows);
    const DeviceArray<double> x = rows_of(begin, end);
    const auto lock = context.use_libraries();
    // Row-major X U = E is U^T X^T = E^T for a library that reads columns.
    BTC_CUDA(cublasDtrsm(context.blas(), CUBLAS_SIDE_LEFT, CUBLAS_FILL_MODE_LOWER, CUBLAS_OP_N,
                         CUBLAS_DIAG_NON_UNIT, m, narrow<int>(end - begin), &one, wide_u.data(), m,
                         x.data(), m));
    launch(context, {end - begin, kThreads}, square_rows,
           MatrixView<const double>(x.data(), end - begin, u.cols()), sums.view().data() + begin);
  }
  return column_sums(context, std::move(sums)).front();
}

}  // namespace

double ArbSession::energy(MatrixView<const float> e) const {
  context_->make_current();
  return energy_by_slices(*context_, u_.view(), e.rows(), [&](std::size_t begin, std::size_t end) {
    const DeviceMatrix<float> part(*context_, e.sub(begin, end, 0, e.cols()));
    return widened(*context_, part.view());
  });
}

double ArbSession::energy_of_weights() const {
  context_->make_current();
  return energy_by_slices(*context_, u_.view(), rows(), [&](std::size_t begin, std::size_t end) {
    const MatrixView<const float> w = w_.view();
    return widened(*context_, w.sub(begin, end, 0, w.cols()));
  });
}

}  // namespace btc::cuda
