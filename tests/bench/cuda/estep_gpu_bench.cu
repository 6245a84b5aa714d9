/// E-step of the binary k-means over all 2^v patterns on the device.
///
/// Peer: every pattern against every centroid by population counts on the same device, with the
/// same copies to and from it. `cpu_ratio` is the CPU backend, on all cores, over ours. `exact`:
/// all three give the same assignment.

#include <benchmark/benchmark.h>

#include <numeric>
#include <thread>

#include "backend/backend.hpp"
#include "bench/cuda/device_report.hpp"
#include "common/rng.hpp"
#include "cuda/runtime/array.cuh"
#include "cuda/runtime/launch.cuh"

namespace btc {
namespace {

constexpr unsigned kThreads = 256;
constexpr unsigned kTile = 2048;  // centroids in shared memory at a time
constexpr unsigned kLabelBits = 24;

/// label[p] = the nearest of the c centroids, the first on ties. Each thread has `kTogether`
/// patterns; key = distance, then label.
template <unsigned kTogether>
__global__ void __launch_bounds__(kThreads)
    brute_force(const Pattern* patterns, std::size_t count, const Pattern* centroids,
                std::uint32_t c, std::uint32_t* label) {
  __shared__ Pattern tile[kTile];
  const std::size_t first = std::size_t{blockIdx.x} * kThreads * kTogether + threadIdx.x;
  Pattern own[kTogether];
  std::uint32_t key[kTogether];
#pragma unroll
  for (unsigned i = 0; i < kTogether; ++i) {
    const std::size_t p = first + i * kThreads;
    own[i] = p < count ? patterns[p] : 0U;
    key[i] = ~0U;
  }
  for (std::uint32_t begin = 0; begin < c; begin += kTile) {
    const std::uint32_t size = min(kTile, c - begin);
    __syncthreads();
    for (std::uint32_t k = threadIdx.x; k < size; k += kThreads) {
      tile[k] = centroids[begin + k];
    }
    __syncthreads();
#pragma unroll 8
    for (std::uint32_t k = 0; k < size; ++k) {
      const Pattern centroid = tile[k];
#pragma unroll
      for (unsigned i = 0; i < kTogether; ++i) {
        const auto distance = static_cast<std::uint32_t>(__popc(own[i] ^ centroid));
        key[i] = min(key[i], (distance << kLabelBits) + (begin + k));
      }
    }
  }
#pragma unroll
  for (unsigned i = 0; i < kTogether; ++i) {
    const std::size_t p = first + i * kThreads;
    if (p < count) {
      label[p] = key[i] & ((1U << kLabelBits) - 1U);
    }
  }
}

/// The whole space, each pattern once.
PatternHistogram all_patterns(int v) {
  PatternHistogram histogram;
  histogram.vector_length = v;
  histogram.patterns.resize(std::size_t{1} << v);
  std::iota(histogram.patterns.begin(), histogram.patterns.end(), Pattern{0});
  histogram.counts.assign(histogram.patterns.size(), 1);
  return histogram;
}

std::vector<Pattern> random_centroids(int v, std::size_t c) {
  Rng rng(derive_seed(1, "bench", c));
  std::vector<Pattern> centroids(c);
  for (auto& centroid : centroids) {
    centroid = static_cast<Pattern>(rng.below(std::uint64_t{1} << v));
  }
  return centroids;
}

/// Patterns and labels stay on the device, as in a session.
class BruteForce {
 public:
  BruteForce(const cuda::Context& context, const std::vector<Pattern>& patterns, std::size_t c)
      : context_(context),
        patterns_(context, patterns),
        centroids_(context, c),
        label_(context, patterns.size()) {}
  void assign(std::span<const Pattern> centroids, std::span<std::uint32_t> assignment) {
    centroids_.upload(centroids);
    if (patterns_.size() >= kMany) {
      start<4>();
    } else {
      start<1>();
    }
    label_.download(assignment);
    context_.wait();
  }

 private:
  static constexpr std::size_t kMany = std::size_t{1} << 19U;

  template <unsigned kTogether>
  void start() {
    cuda::launch(context_, {ceil_div(patterns_.size(), kThreads * kTogether), kThreads, 0},
                 brute_force<kTogether>, patterns_.data(), patterns_.size(), centroids_.data(),
                 centroids_.size(), label_.data());
  }

  const cuda::Context& context_;
  cuda::DeviceArray<Pattern> patterns_;
  cuda::DeviceArray<Pattern> centroids_;
  cuda::DeviceArray<std::uint32_t> label_;
};

void BM_EStepOnDevice(benchmark::State& state) {
  const int v = static_cast<int>(state.range(0));
  const auto c = static_cast<std::size_t>(state.range(1));
  const PatternHistogram histogram = all_patterns(v);
  const std::vector<Pattern> centroids = random_centroids(v, c);
  const std::size_t count = histogram.patterns.size();
  const auto backend = make_cuda_backend(0);
  const auto session = backend->open_kmeans(histogram);
  const auto cpu = make_cpu_backend(static_cast<int>(std::thread::hardware_concurrency()));
  const auto cpu_session = cpu->open_kmeans(histogram);
  const cuda::Context context(0);
  BruteForce peer(context, histogram.patterns, c);
  std::vector<std::uint32_t> assignment(count, 0);
  std::vector<std::uint32_t> of_peer(count, 0);
  std::vector<std::uint32_t> of_cpu(count, 0);
  const auto ours = [&] { benchmark::DoNotOptimize(session->assign(centroids, assignment)); };
  const auto brute = [&] { peer.assign(centroids, of_peer); };
  const auto on_cpu = [&] { benchmark::DoNotOptimize(cpu_session->assign(centroids, of_cpu)); };

  ours();  // loads the kernels
  brute();
  const auto times = bench::run_side_by_side(state, 9, ours, brute, bench::wall_seconds);
  std::vector<double> cpu_times;
  for (int i = 0; i < 9; ++i) {
    cpu_times.push_back(bench::seconds(on_cpu, bench::wall_seconds));
  }
  bench::report(state, times, 1.0, assignment == of_peer && assignment == of_cpu);
  bench::report_kernels(state, ours, brute);
  state.counters["cpu_ratio"] = bench::median(cpu_times) / times.ours;
  state.counters["peer_gpair_per_s"] =
      static_cast<double>(count) * static_cast<double>(c) / times.peer * 1e-9;
}
BENCHMARK(BM_EStepOnDevice)
    ->ArgNames({"v", "c"})
    ->Args({16, 7132})
    ->Args({20, 65536})
    ->Iterations(21)
    ->UseManualTime()
    ->Unit(benchmark::kMicrosecond);

}  // namespace
}  // namespace btc
