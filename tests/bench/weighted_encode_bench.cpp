/// Weighted nearest codeword of sub-vectors with Gaussian weights, one thread.
///
/// Peer: all codewords, each priced by table look-ups, one per byte of the flipped signs. The
/// counter `plain_ratio` compares with the reference backend (bit by bit) on a sample.

#include <benchmark/benchmark.h>

#include <array>
#include <cmath>
#include <limits>

#include "backend/backend.hpp"
#include "bench/side_by_side.hpp"
#include "common/rng.hpp"

namespace btc {
namespace {

/// First codeword of least cost.
std::uint32_t brute_force(Pattern own, std::span<const std::int32_t> costs,
                          std::span<const Pattern> codewords) {
  std::array<std::array<std::uint32_t, 256>, 3> price{};
  for (std::size_t b = 0; b < costs.size(); ++b) {
    auto& table = price[b / 8];
    const std::size_t half = std::size_t{1} << (b % 8);
    for (std::size_t s = 0; s < half; ++s) {
      table[half + s] = table[s] + static_cast<std::uint32_t>(costs[b]);
    }
  }
  std::uint32_t best = 0;
  std::uint32_t least = std::numeric_limits<std::uint32_t>::max();
  const bool three = costs.size() > 16;
  for (std::uint32_t k = 0; k < codewords.size(); ++k) {
    const Pattern flips = own ^ codewords[k];
    const std::uint32_t cost = price[0][flips & 255U] + price[1][(flips >> 8U) & 255U] +
                               (three ? price[2][flips >> 16U] : 0);
    best = cost < least ? k : best;
    least = std::min(cost, least);
  }
  return best;
}

void BM_WeightedEncode(benchmark::State& state) {  // NOLINT(readability-identifier-naming)
  constexpr std::size_t kCount = 20000;
  const int v = static_cast<int>(state.range(0));
  const auto c = static_cast<std::size_t>(state.range(1));
  const auto peer_count = static_cast<std::size_t>(state.range(2));
  Rng rng(derive_seed(1, "bench", c));
  const auto draw = [&] { return static_cast<Pattern>(rng.below(std::uint64_t{1} << v)); };
  std::vector<Pattern> codewords(c);
  std::generate(codewords.begin(), codewords.end(), draw);
  std::vector<Pattern> own(kCount);
  std::generate(own.begin(), own.end(), draw);
  Matrix<std::int32_t> costs(kCount, static_cast<std::size_t>(v));
  for (auto& cost : costs.values()) {
    cost = static_cast<std::int32_t>(std::abs(rng.normal()) * 0x1p20);
  }
  const auto backend = make_cpu_backend(1);
  const auto search = backend->open_codewords(codewords, v);
  std::vector<std::uint32_t> index(kCount);
  std::vector<std::uint32_t> expected(peer_count);

  const auto times = bench::run_side_by_side(
      state, 9, [&] { search->nearest_weighted(own, costs.view(), index); },
      [&] {
        for (std::size_t i = 0; i < peer_count; ++i) {
          expected[i] = brute_force(own[i], costs.row(i), codewords);
        }
      });

  const std::size_t plain_count = std::max<std::size_t>(20, 1000000 / c);
  const auto plain = make_reference_backend()->open_codewords(codewords, v);
  std::vector<std::uint32_t> truth(plain_count);
  const double plain_seconds = bench::seconds([&] {
    plain->nearest_weighted(std::span(own).first(plain_count),
                            costs.view().sub(0, plain_count, 0, static_cast<std::size_t>(v)),
                            truth);
  });
  const bool exact = std::equal(expected.begin(), expected.end(), index.begin()) &&
                     std::equal(truth.begin(), truth.end(), index.begin());
  bench::report(state, times, static_cast<double>(peer_count) / kCount, exact);
  state.counters["us_each"] = times.ours / kCount * 1e6;
  state.counters["plain_ratio"] =
      plain_seconds / static_cast<double>(plain_count) / (times.ours / kCount);
}
BENCHMARK(BM_WeightedEncode)
    ->ArgNames({"v", "c", "peer_n"})
    ->Args({16, 7131, 2000})
    ->Args({20, 65536, 200})
    ->Args({24, 65536, 200})
    ->UseManualTime()
    ->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace btc
