/// U with H^-1 = U^T U in fp64 on the device, from a matrix of the host to a matrix of the host.
///
/// Peer: the usual chain with cuSOLVER, with the same copies: factorise H, invert it (potri),
/// factorise the inverse. `torch_ratio` is the chain as LibTorch runs it, which inverts by solving
/// with the unit matrix, over ours. `exact` is 1 when the largest difference is at most 1e-5 of the
/// largest entry. `potrf_us` is what the factorisation of H alone takes of `kernel_us`.

#include <benchmark/benchmark.h>

#include <cmath>
#include <exception>
#include <functional>

#include "backend/backend.hpp"
#include "bench/cuda/device_random.cuh"
#include "bench/cuda/device_report.hpp"

namespace btc {
namespace {

constexpr unsigned kThreads = 256;

/// H [m, m] from one of its triangles, rounded to fp32, with 0.01 m on the diagonal. @param x the
/// product, symmetric up to rounding
__global__ void damp(const double* x, std::size_t m, float* h) {
  const std::size_t step = std::size_t{gridDim.x} * blockDim.x;
  for (std::size_t e = std::size_t{blockIdx.x} * blockDim.x + threadIdx.x; e < m * m; e += step) {
    const std::size_t row = e / m;
    const std::size_t col = e % m;
    const std::size_t low = min(row, col);
    const std::size_t high = max(row, col);
    h[e] =
        static_cast<float>(x[low * m + high] + (row == col ? 0.01 * static_cast<double>(m) : 0.0));
  }
}

__global__ void widen(const float* from, std::size_t count, double* to) {
  const std::size_t step = std::size_t{gridDim.x} * blockDim.x;
  for (std::size_t e = std::size_t{blockIdx.x} * blockDim.x + threadIdx.x; e < count; e += step) {
    to[e] = static_cast<double>(from[e]);
  }
}

/// The upper triangle by rows in fp32, zeros below.
__global__ void upper_part(const double* from, std::size_t m, float* to) {
  const std::size_t step = std::size_t{gridDim.x} * blockDim.x;
  for (std::size_t e = std::size_t{blockIdx.x} * blockDim.x + threadIdx.x; e < m * m; e += step) {
    to[e] = e % m >= e / m ? static_cast<float>(from[e]) : 0.0F;
  }
}

__global__ void unit_matrix(double* values, std::size_t m) {
  const std::size_t step = std::size_t{gridDim.x} * blockDim.x;
  for (std::size_t e = std::size_t{blockIdx.x} * blockDim.x + threadIdx.x; e < m * m; e += step) {
    values[e] = e % m == e / m ? 1.0 : 0.0;
  }
}

template <typename... Parameters, typename... Arguments>
void run_all(const cuda::Context& context, void (*kernel)(Parameters...), Arguments... arguments) {
  cuda::launch(context, {static_cast<std::size_t>(context.multiprocessors()) * 8, kThreads, 0},
               kernel, arguments...);
}

/// H of m inputs from m / 4 random tokens.
Matrix<float> random_hessian(const cuda::Context& context, std::size_t m) {
  const std::size_t tokens = m / 4;
  const auto x = bench::random_array<double>(context, tokens * m, 1);
  cuda::DeviceArray<double> product(context, m * m);
  cuda::DeviceMatrix<float> h(context, m, m);
  const double one = 1.0;
  const double zero = 0.0;
  const int size = narrow<int>(m);
  BTC_CUDA(cublasDgemm(context.blas(), CUBLAS_OP_N, CUBLAS_OP_T, size, size, narrow<int>(tokens),
                       &one, x.data(), size, x.data(), size, &zero, product.data(), size));
  run_all(context, damp, product.data(), m, h.view().data());
  return h.to_matrix();
}

enum class Inversion { kPotri, kSolve };

/// The peer. The lower triangle by columns, where cuSOLVER works, is the upper one by rows; so the
/// factor L of H^-1 = L L^T is U^T in place.
class Chain {
 public:
  Chain(const cuda::Context& context, std::size_t m)
      : context_(context),
        m_(m),
        size_(narrow<int>(m)),
        h_(context, m * m),
        inverse_(context, m * m),
        single_(context, m * m),
        state_(context, 1) {
    int potrf = 0;
    int potri = 0;
    BTC_CUDA(
        cusolverDnDpotrf_bufferSize(context.solver(), kLower, size_, h_.data(), size_, &potrf));
    BTC_CUDA(
        cusolverDnDpotri_bufferSize(context.solver(), kLower, size_, h_.data(), size_, &potri));
    work_ = cuda::DeviceArray<double>(context, static_cast<std::size_t>(std::max(potrf, potri)));
  }

  /// The first step alone.
  void cholesky(const Matrix<float>& h) {
    single_.upload(h.values());
    run_all(context_, widen, single_.data(), single_.size(), h_.data());
    factorise(h_);
  }

  Matrix<float> factor(const Matrix<float>& h, Inversion inversion) {
    cholesky(h);
    cuda::DeviceArray<double>& inverse = inversion == Inversion::kPotri ? h_ : inverse_;
    if (inversion == Inversion::kPotri) {
      BTC_CUDA(cusolverDnDpotri(context_.solver(), kLower, size_, h_.data(), size_, work_.data(),
                                narrow<int>(work_.size()), state_.data()));
    } else {
      run_all(context_, unit_matrix, inverse_.data(), m_);
      BTC_CUDA(cusolverDnDpotrs(context_.solver(), kLower, size_, size_, h_.data(), size_,
                                inverse_.data(), size_, state_.data()));
    }
    factorise(inverse);
    run_all(context_, upper_part, inverse.data(), m_, single_.data());
    Matrix<float> u(m_, m_);
    single_.download(u.values());
    BTC_CHECK(state_.to_vector().front() == 0, "H is not positive definite");
    return u;
  }

 private:
  static constexpr cublasFillMode_t kLower = CUBLAS_FILL_MODE_LOWER;

  void factorise(const cuda::DeviceArray<double>& a) {
    BTC_CUDA(cusolverDnDpotrf(context_.solver(), kLower, size_, a.data(), size_, work_.data(),
                              narrow<int>(work_.size()), state_.data()));
  }

  const cuda::Context& context_;
  std::size_t m_;
  int size_;
  cuda::DeviceArray<double> h_;
  cuda::DeviceArray<double> inverse_;
  cuda::DeviceArray<float> single_;
  cuda::DeviceArray<int> state_;
  cuda::DeviceArray<double> work_;
};

bool close(const Matrix<float>& u, const Matrix<float>& expected) {
  double difference = 0.0;
  double largest = 0.0;
  for (std::size_t e = 0; e < u.size(); ++e) {
    const auto value = static_cast<double>(expected.values()[e]);
    difference = std::max(difference, std::abs(static_cast<double>(u.values()[e]) - value));
    largest = std::max(largest, std::abs(value));
  }
  return u.size() == expected.size() && difference <= 1e-5 * largest;
}

/// Kernels of the factorisation alone, which both sides need: `potrf_us`.
void report_cholesky(benchmark::State& state, const std::function<void()>& cholesky) {
  try {
    state.counters["potrf_us"] = bench::device_time(cholesky).kernels_us;
  } catch (const std::exception&) {
    return;  // the label says why
  }
}

void BM_FactorOnDevice(benchmark::State& state) {
  const auto m = static_cast<std::size_t>(state.range(0));
  const cuda::Context context(0);
  const Matrix<float> h = random_hessian(context, m);
  const auto backend = make_cuda_backend(0, 1);
  Chain chain(context, m);
  Matrix<float> u;
  Matrix<float> expected;
  Matrix<float> of_torch;
  const auto ours = [&] { u = backend->factor(h.view()); };
  const auto peer = [&] { expected = chain.factor(h, Inversion::kPotri); };
  const auto torch = [&] { of_torch = chain.factor(h, Inversion::kSolve); };

  ours();  // loads the kernels
  peer();
  torch();
  const auto times = bench::run_side_by_side(state, 3, ours, peer, bench::wall_seconds);
  std::vector<double> torch_times;
  for (int i = 0; i < 3; ++i) {
    torch_times.push_back(bench::seconds(torch, bench::wall_seconds));
  }
  bench::report(state, times, 1.0, close(u, expected) && close(of_torch, expected));
  bench::report_kernels(state, ours, peer);
  report_cholesky(state, [&] {
    chain.cholesky(h);
    context.wait();
  });
  state.counters["torch_ratio"] = bench::median(torch_times) / times.ours;
  state.counters["gflop_per_s"] =
      2.0 / 3.0 * std::pow(static_cast<double>(m), 3) / times.ours * 1e-9;
}
BENCHMARK(BM_FactorOnDevice)
    ->ArgName("m")
    ->Arg(4096)
    ->Arg(11008)
    ->Iterations(5)
    ->UseManualTime()
    ->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace btc
