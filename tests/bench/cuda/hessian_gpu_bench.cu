/// H += X^T X of one sequence in fp32, TF32 off, everything on the device.
///
/// Ours: cublasSsyrk, which computes one triangle. Peer: cublasSgemm, which computes both.
/// `peer_ratio` above 1: the triangle is worth it. Times by events. `exact` is 1 when the largest
/// difference is at most 1e-5 of the largest entry.

#include <benchmark/benchmark.h>

#include "bench/cuda/device_random.cuh"
#include "bench/cuda/event_time.cuh"
#include "bench/side_by_side.hpp"

namespace btc {
namespace {

constexpr std::size_t kTokens = 2048;
constexpr int kRounds = 21;

/// X [tokens, m] by rows is X^T by columns, so both calls compute A A^T of A = X^T.
struct Hessian {
  const cuda::Context& context;
  int m;
  cuda::DeviceArray<float> x;

  void triangle(cuda::DeviceArray<float>& h) const {
    const float one = 1.0F;
    BTC_CUDA(cublasSsyrk(context.blas(), CUBLAS_FILL_MODE_LOWER, CUBLAS_OP_N, m, kTokens, &one,
                         x.data(), m, &one, h.data(), m));
  }
  void both(cuda::DeviceArray<float>& h) const {
    const float one = 1.0F;
    BTC_CUDA(cublasSgemm(context.blas(), CUBLAS_OP_N, CUBLAS_OP_T, m, m, kTokens, &one, x.data(), m,
                         x.data(), m, &one, h.data(), m));
  }
};

/// Largest difference in the lower triangle (by columns), and the largest entry.
std::pair<double, double> compare(const std::vector<float>& a, const std::vector<float>& b,
                                  std::size_t m) {
  double difference = 0.0;
  double largest = 0.0;
  for (std::size_t col = 0; col < m; ++col) {
    for (std::size_t row = col; row < m; ++row) {
      const auto x = static_cast<double>(a[col * m + row]);
      const auto y = static_cast<double>(b[col * m + row]);
      difference = std::max(difference, std::abs(x - y));
      largest = std::max(largest, std::abs(y));
    }
  }
  return {difference, largest};
}

void BM_HessianOnDevice(benchmark::State& state) {
  const auto m = static_cast<std::size_t>(state.range(0));
  const cuda::Context context(0);
  const Hessian hessian{context, static_cast<int>(m),
                        bench::random_array<float>(context, kTokens * m, 1)};
  cuda::DeviceArray<float> h(context, m * m);
  cuda::DeviceArray<float> expected(context, m * m);
  h.fill_bytes(0);
  expected.fill_bytes(0);
  hessian.triangle(h);
  hessian.both(expected);
  const auto [difference, largest] = compare(h.to_vector(), expected.to_vector(), m);

  std::vector<double> ours;
  std::vector<double> peer;
  for (auto _ : state) {
    ours.push_back(bench::event_seconds(context, [&] { hessian.triangle(h); }));
    state.SetIterationTime(ours.back());
    peer.push_back(bench::event_seconds(context, [&] { hessian.both(expected); }));
  }
  const bench::SideBySide times{bench::median(ours), bench::median(peer),
                                *std::min_element(ours.begin(), ours.end())};
  bench::report(state, times, 1.0, difference <= 1e-5 * largest);
  const double flop = 2.0 * static_cast<double>(kTokens * m) * static_cast<double>(m);
  state.counters["syrk_tflop_per_s"] = flop / 2.0 / times.ours * 1e-12;
  state.counters["gemm_tflop_per_s"] = flop / times.peer * 1e-12;
}
BENCHMARK(BM_HessianOnDevice)
    ->ArgName("m")
    ->Arg(4096)
    ->Arg(11008)
    ->Iterations(kRounds)
    ->UseManualTime()
    ->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace btc
