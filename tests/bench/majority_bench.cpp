/// M-step of the binary k-means over all 2^v patterns, one thread. Peer: the reference backend.

#include <benchmark/benchmark.h>

#include <numeric>

#include "backend/backend.hpp"
#include "bench/side_by_side.hpp"
#include "common/rng.hpp"

namespace btc {
namespace {

void BM_Majority(benchmark::State& state) {  // NOLINT(readability-identifier-naming)
  const int v = static_cast<int>(state.range(0));
  const auto c = static_cast<std::size_t>(state.range(1));
  Rng rng(derive_seed(1, "bench", c));
  PatternHistogram histogram;
  histogram.vector_length = v;
  histogram.patterns.resize(std::size_t{1} << v);
  std::iota(histogram.patterns.begin(), histogram.patterns.end(), Pattern{0});
  histogram.counts.resize(histogram.patterns.size());
  std::generate(histogram.counts.begin(), histogram.counts.end(),
                [&] { return 1 + rng.below(50); });
  std::vector<std::uint32_t> assignment(histogram.patterns.size());
  std::generate(assignment.begin(), assignment.end(),
                [&] { return static_cast<std::uint32_t>(rng.below(c)); });
  const auto session = make_cpu_backend(1)->open_kmeans(histogram);
  const auto plain = make_reference_backend()->open_kmeans(histogram);
  std::vector<Pattern> centroids(c, 0);
  std::vector<Pattern> expected(c, 0);
  const auto times = bench::run_side_by_side(
      state, 5, [&] { session->update(assignment, centroids); },
      [&] { plain->update(assignment, expected); });
  bench::report(state, times, 1.0, centroids == expected);
}
BENCHMARK(BM_Majority)
    ->ArgNames({"v", "c"})
    ->Args({16, 7131})
    ->Args({20, 65536})
    ->UseManualTime()
    ->Unit(benchmark::kMicrosecond);

}  // namespace
}  // namespace btc
