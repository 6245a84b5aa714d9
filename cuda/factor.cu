#include "cuda/factor.hpp"

#include <future>
#include <vector>

#include "backend/check_input.hpp"
#include "common/allocation.hpp"
#include "common/error.hpp"
#include "cuda/invert_triangle.hpp"
#include "cuda/runtime/array.cuh"
#include "cuda/runtime/launch.cuh"
#include "cuda/runtime/team.cuh"
#include "cuda/sessions.cuh"

namespace btc::cuda {
namespace {

constexpr int kThreads = 256;

/// What went wrong, written on the device, all zero at first.
struct Status {
  int pivot;  // of cuSOLVER: 0, or one more than the place of the first pivot <= 0
  int bad_h;  // an element of H is not finite
  int bad_u;  // an element of U is not finite
};

__global__ void reverse(MatrixView<const float> h, double* a, Status* status) {
  __shared__ float room[kTurnTileRoom];
  if (!reverse_tile(BlockTeam(), room, h, TurnTile(blockIdx.x, h.rows()), a)) {
    atomicExch(&status->bad_h, 1);
  }
}

__global__ void restore(const double* l_inverse, MatrixView<float> u, Status* status) {
  __shared__ float room[kTurnTileRoom];
  if (!restore_tile(BlockTeam(), room, l_inverse, TurnTile(blockIdx.x, u.rows()), u)) {
    atomicExch(&status->bad_u, 1);
  }
}

/// Zeros above the diagonal; a block for each column.
__global__ void clear_upper(double* a, std::size_t m) {
  double* column = a + blockIdx.x * m;
  for (std::size_t i = threadIdx.x; i < blockIdx.x; i += kThreads) {
    column[i] = 0.0;
  }
}

__global__ void invert_tiles(double* l, std::size_t m) {
  __shared__ double room[kInverseTileRoom];
  const std::size_t begin = blockIdx.x * kInverseTile;
  invert_tile(BlockTeam(), room, l + begin * (m + 1), m, min(kInverseTile, m - begin));
}

/// Room for one call of cuSOLVER; the call may be running still when it returns.
struct Workspace {
  DeviceArray<std::byte> device;
  std::vector<std::byte> host;
};

std::size_t turn_tiles(std::size_t m) { return ceil_div(m, kTurnTile) * ceil_div(m, kTurnTile); }

/// A [m, m] of H.
DeviceArray<double> reversed(const Context& context, MatrixView<const float> h, Status* status) {
  const DeviceMatrix<float> copy(context, h);
  DeviceArray<double> a(context, h.rows() * h.rows());
  launch(context, {turn_tiles(h.rows()), kThreads}, reverse, copy.view(), a.data(), status);
  return a;
}

/// A := L in its lower triangle.
Workspace cholesky(const Context& context, DeviceArray<double>& a, std::size_t m, Status* status) {
  const auto n = static_cast<std::int64_t>(m);
  std::size_t device_bytes = 0;
  std::size_t host_bytes = 0;
  BTC_CUDA(cusolverDnXpotrf_bufferSize(context.solver(), nullptr, CUBLAS_FILL_MODE_LOWER, n,
                                       CUDA_R_64F, a.data(), n, CUDA_R_64F, &device_bytes,
                                       &host_bytes));
  Workspace work{DeviceArray<std::byte>(context, device_bytes), std::vector<std::byte>(host_bytes)};
  BTC_CUDA(cusolverDnXpotrf(context.solver(), nullptr, CUBLAS_FILL_MODE_LOWER, n, CUDA_R_64F,
                            a.data(), n, CUDA_R_64F, work.device.data(), device_bytes,
                            work.host.data(), host_bytes, &status->pivot));
  return work;
}

void multiply(const Context& context, const InverseProduct& p, double* l, double* workspace) {
  const double factor = p.into_workspace ? 1.0 : -1.0;
  const double zero = 0.0;
  const int rows = narrow<int>(p.rows);
  const int columns = narrow<int>(p.columns);
  const int depth = narrow<int>(p.depth);
  const double* left = l + p.left.begin;
  const double* right = (p.into_workspace ? l : workspace) + p.right.begin;
  double* out = (p.into_workspace ? workspace : l) + p.out.begin;
  const int left_stride = narrow<int>(p.left.stride);
  const int right_stride = narrow<int>(p.right.stride);
  const int out_stride = narrow<int>(p.out.stride);
  if (p.count == 1) {
    BTC_CUDA(cublasDgemm(context.blas(), CUBLAS_OP_N, CUBLAS_OP_N, rows, columns, depth, &factor,
                         left, left_stride, right, right_stride, &zero, out, out_stride));
    return;
  }
  BTC_CUDA(cublasDgemmStridedBatched(
      context.blas(), CUBLAS_OP_N, CUBLAS_OP_N, rows, columns, depth, &factor, left, left_stride,
      narrow<long long>(p.left.step), right, right_stride, narrow<long long>(p.right.step), &zero,
      out, out_stride, narrow<long long>(p.out.step), narrow<int>(p.count)));
}

/// L := L^-1, zeros above its diagonal.
void invert(const Context& context, DeviceArray<double>& l, std::size_t m) {
  launch(context, {m, kThreads}, clear_upper, l.data(), m);
  launch(context, {ceil_div(m, kInverseTile), kThreads}, invert_tiles, l.data(), m);
  const DeviceArray<double> workspace(context, inverse_workspace(m));
  multiply_levels(m, kInverseStrip, [&](const InverseProduct& product) {
    multiply(context, product, l.data(), workspace.data());
  });
}

void check_status(const Status& status, MatrixView<const float> h) {
  const std::size_t m = h.rows();
  if (status.bad_h != 0) {
    check_hessian(h);
  }
  BTC_REQUIRE(NumericError, status.pivot == 0, "factor: H [", m, ", ", m,
              "] is not positive definite: pivot ", m - static_cast<std::size_t>(status.pivot),
              " is not positive");
  BTC_REQUIRE(NumericError, status.bad_u == 0, "factor: U [", m, ", ", m,
              "] does not fit fp32; raise the damping");
}

}  // namespace

Matrix<float> factor(const Context& context, MatrixView<const float> h) {
  check_square(h);
  context.make_current();
  const std::size_t m = h.rows();
  // Takes as long as the upload and the kernels, so it runs beside them.
  auto cleared = std::async(std::launch::async, [m] { return zeros_in_large_pages<float>(m, m); });
  DeviceArray<Status> status(context, 1);
  status.fill_bytes(0);
  DeviceArray<double> a = reversed(context, h, status.data());
  Workspace used;
  {
    const auto lock = context.use_libraries();
    used = cholesky(context, a, m, status.data());
    invert(context, a, m);
  }
  DeviceMatrix<float> u(context, m, m);
  launch(context, {turn_tiles(m), kThreads}, restore, a.data(), u.view(), status.data());
  check_status(status.to_vector().front(), h);
  Matrix<float> result = cleared.get();
  u.array().download(result.values());
  context.wait();
  return result;
}

}  // namespace btc::cuda
