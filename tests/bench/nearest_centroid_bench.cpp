/// E-step of the binary k-means over all 2^v patterns, one thread.
///
/// Peer: brute force with vector population counts (AVX-512 where the machine has VPOPCNT), four
/// patterns at a time, first the least distance, then its first centroid. It runs on every
/// `stride`-th pattern; `peer_ratio` is scaled to all patterns, `exact` compares that sample.

#include <benchmark/benchmark.h>

#include <array>
#include <bit>
#include <numeric>

#include "backend/backend.hpp"
#include "bench/side_by_side.hpp"
#include "common/rng.hpp"

namespace btc {
namespace {

constexpr std::size_t kTogether = 4;

std::uint32_t apart(Pattern a, Pattern b) {
  return static_cast<std::uint32_t>(std::popcount(a ^ b));
}

/// The first centroid that is `distance` away: chunk by chunk, which the compiler vectorises.
std::uint32_t first_at(Pattern pattern, std::span<const Pattern> centroids,
                       std::uint32_t distance) {
  constexpr std::size_t kChunk = 128;
  std::size_t k = 0;
  for (; k + kChunk <= centroids.size(); k += kChunk) {
    std::uint32_t hits = 0;
    for (std::size_t i = k; i < k + kChunk; ++i) {
      hits |= static_cast<std::uint32_t>(apart(pattern, centroids[i]) == distance);
    }
    if (hits != 0) {
      break;
    }
  }
  while (apart(pattern, centroids[k]) != distance) {
    ++k;
  }
  return static_cast<std::uint32_t>(k);
}

/// Labels of patterns[0 .. kTogether).
void brute_force(const Pattern* patterns, std::span<const Pattern> centroids,
                 std::uint32_t* label) {
  const Pattern p0 = patterns[0];
  const Pattern p1 = patterns[1];
  const Pattern p2 = patterns[2];
  const Pattern p3 = patterns[3];
  std::uint32_t d0 = 99;
  std::uint32_t d1 = 99;
  std::uint32_t d2 = 99;
  std::uint32_t d3 = 99;
  for (const Pattern centroid : centroids) {
    d0 = std::min(d0, apart(p0, centroid));
    d1 = std::min(d1, apart(p1, centroid));
    d2 = std::min(d2, apart(p2, centroid));
    d3 = std::min(d3, apart(p3, centroid));
  }
  const std::array<std::uint32_t, kTogether> least = {d0, d1, d2, d3};
  for (std::size_t i = 0; i < kTogether; ++i) {
    label[i] = first_at(patterns[i], centroids, least[i]);
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

void BM_EStepAllPatterns(benchmark::State& state) {  // NOLINT(readability-identifier-naming)
  const int v = static_cast<int>(state.range(0));
  const auto c = static_cast<std::size_t>(state.range(1));
  const auto stride = static_cast<std::size_t>(state.range(2));
  const PatternHistogram histogram = all_patterns(v);
  Rng rng(derive_seed(1, "bench", c));
  std::vector<Pattern> centroids(c);
  for (auto& centroid : centroids) {
    centroid = static_cast<Pattern>(rng.below(std::uint64_t{1} << v));
  }
  std::vector<Pattern> sample;
  for (std::size_t p = 0; p < histogram.patterns.size(); p += stride) {
    sample.push_back(static_cast<Pattern>((p + p / 7) & (histogram.patterns.size() - 1)));
  }
  const auto backend = make_cpu_backend(1);
  const auto session = backend->open_kmeans(histogram);
  std::vector<std::uint32_t> assignment(histogram.patterns.size(), 0);
  std::vector<std::uint32_t> expected(sample.size());

  const auto times = bench::run_side_by_side(
      state, 9, [&] { benchmark::DoNotOptimize(session->assign(centroids, assignment)); },
      [&] {
        for (std::size_t i = 0; i < sample.size(); i += kTogether) {
          brute_force(&sample[i], centroids, &expected[i]);
        }
      });

  bool exact = true;
  for (std::size_t i = 0; i < sample.size(); ++i) {
    exact = exact && assignment[sample[i]] == expected[i];
  }
  const auto part = static_cast<double>(sample.size());
  const auto all = static_cast<double>(histogram.patterns.size());
  bench::report(state, times, part / all, exact);
  state.counters["peer_gpair_per_s"] = part * static_cast<double>(c) / times.peer * 1e-9;
  state.counters["g_min_add_per_s"] = all * v / times.ours * 1e-9;
}
BENCHMARK(BM_EStepAllPatterns)
    ->ArgNames({"v", "c", "stride"})
    ->Args({12, 777, 1})
    ->Args({16, 7131, 1})
    ->Args({20, 65536, 128})
    ->Args({24, 65536, 4096})
    ->UseManualTime()
    ->Unit(benchmark::kMicrosecond);

}  // namespace
}  // namespace btc
