#pragma once
/// What the benchmarks of a whole block on the CPU share.

#include <benchmark/benchmark.h>

#include "common/allocation.hpp"
#include "model/block_forward.hpp"
#include "model/math_mode.hpp"

namespace btc::bench {

inline constexpr int kThreads = 2;

inline void report_peak(benchmark::State& state) {
  constexpr double kGibibyte = 1024.0 * 1024.0 * 1024.0;
  state.counters["peak_rss_GiB"] = static_cast<double>(peak_rss_bytes()) / kGibibyte;
}

/// `main` with `kThreads` for LibTorch, in the arithmetic of the programs.
inline int run(int argc, char** argv) {
  choose_math_mode();
  keep_freed_memory();
  benchmark::Initialize(&argc, argv);
  configure_torch(kThreads);
  benchmark::RunSpecifiedBenchmarks();
  benchmark::Shutdown();
  return 0;
}

}  // namespace btc::bench
