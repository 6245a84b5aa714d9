#include "cuda/factor.hpp"

#include <cmath>
#include <vector>

#include "backend/check_input.hpp"
#include "common/error.hpp"
#include "cuda/runtime/array.cuh"
#include "cuda/runtime/launch.cuh"
#include "cuda/sessions.cuh"

namespace btc::cuda {
namespace {

constexpr int kThreads = 256;

__global__ void reverse(MatrixView<const float> h, double* a) {
  const std::size_t e = static_cast<std::size_t>(blockIdx.x) * kThreads + threadIdx.x;
  if (e < h.rows() * h.rows()) {
    a[e] = reversed_element(h, e);
  }
}

__global__ void restore(const double* l_inverse, MatrixView<float> u) {
  const std::size_t e = static_cast<std::size_t>(blockIdx.x) * kThreads + threadIdx.x;
  const std::size_t m = u.rows();
  if (e < m * m) {
    u(e / m, e % m) = factor_element(l_inverse, m, e / m, e % m);
  }
}

/// Room for one call of cuSOLVER.
struct Workspace {
  DeviceArray<std::byte> device;
  std::vector<std::byte> host;
};

int info_of(const Context& context, const DeviceArray<int>& info) {
  int value = 0;
  info.download({&value, 1});
  context.wait();
  return value;
}

/// A := L in its lower triangle.
void cholesky(const Context& context, DeviceArray<double>& a, std::size_t m,
              DeviceArray<int>& info) {
  const auto n = static_cast<std::int64_t>(m);
  std::size_t device_bytes = 0;
  std::size_t host_bytes = 0;
  BTC_CUDA(cusolverDnXpotrf_bufferSize(context.solver(), nullptr, CUBLAS_FILL_MODE_LOWER, n,
                                       CUDA_R_64F, a.data(), n, CUDA_R_64F, &device_bytes,
                                       &host_bytes));
  const Workspace work{DeviceArray<std::byte>(context, device_bytes),
                       std::vector<std::byte>(host_bytes)};
  BTC_CUDA(cusolverDnXpotrf(context.solver(), nullptr, CUBLAS_FILL_MODE_LOWER, n, CUDA_R_64F,
                            a.data(), n, CUDA_R_64F, work.device.data(), device_bytes,
                            const_cast<std::byte*>(work.host.data()), host_bytes, info.data()));
  const int minor = info_of(context, info);
  BTC_REQUIRE(NumericError, minor == 0, "factor: H [", m, ", ", m,
              "] is not positive definite: pivot ", m - static_cast<std::size_t>(minor),
              " is not positive");
}

/// L := L^-1, in its lower triangle.
void invert(const Context& context, DeviceArray<double>& l, std::size_t m, DeviceArray<int>& info) {
  const auto n = static_cast<std::int64_t>(m);
  std::size_t device_bytes = 0;
  std::size_t host_bytes = 0;
  BTC_CUDA(cusolverDnXtrtri_bufferSize(context.solver(), CUBLAS_FILL_MODE_LOWER,
                                       CUBLAS_DIAG_NON_UNIT, n, CUDA_R_64F, l.data(), n,
                                       &device_bytes, &host_bytes));
  Workspace work{DeviceArray<std::byte>(context, device_bytes), std::vector<std::byte>(host_bytes)};
  BTC_CUDA(cusolverDnXtrtri(context.solver(), CUBLAS_FILL_MODE_LOWER, CUBLAS_DIAG_NON_UNIT, n,
                            CUDA_R_64F, l.data(), n, work.device.data(), device_bytes,
                            work.host.data(), host_bytes, info.data()));
  BTC_CHECK(info_of(context, info) == 0, "trtri of a factor with a zero on its diagonal");
}

void check_finite(const Matrix<float>& u) {
  for (const float value : u.values()) {
    BTC_REQUIRE(NumericError, std::isfinite(value), "factor: U [", u.rows(), ", ", u.cols(),
                "] does not fit fp32; raise the damping");
  }
}

}  // namespace

Matrix<float> factor(const Context& context, MatrixView<const float> h) {
  check_hessian(h);
  context.make_current();
  const std::size_t m = h.rows();
  const LaunchShape all{ceil_div(m * m, kThreads), kThreads};
  DeviceArray<double> a(context, m * m);
  DeviceMatrix<float> u(context, h);
  launch(context, all, reverse, u.view(), a.data());
  DeviceArray<int> info(context, 1);
  const auto lock = context.use_libraries();
  cholesky(context, a, m, info);
  invert(context, a, m, info);
  launch(context, all, restore, a.data(), u.view());
  Matrix<float> result = u.to_matrix();
  check_finite(result);
  return result;
}

}  // namespace btc::cuda
