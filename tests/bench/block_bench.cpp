/// Seconds of each part of a 7B block on two threads, and the largest resident set.
///
/// `hessian_s` is that part of binarize (reading, forward, Hessians) run once more by itself.

#include "bench/block_run.hpp"

#include <benchmark/benchmark.h>

#include <functional>

#include "common/allocation.hpp"

namespace btc::bench {
namespace {

constexpr int kThreads = 2;

double seconds(const std::function<void()>& part) {
  const Timer timer;
  part();
  return timer.seconds();
}

void run_block(benchmark::State& state) {
  const auto backend = make_cpu_backend(kThreads);
  BlockRun block(llama(4096, 11008), *backend, {});
  for (auto _ : state) {
    state.counters["hessian_s"] = seconds([&] { block.sum_hessians(); });
    const Timer whole;
    state.counters["binarize_s"] = seconds([&] { block.binarize(); });
    state.counters["codebook_s"] = seconds([&] { block.learn(); });
    state.counters["encode_s"] =
        seconds([&] { state.counters["relative_error"] = block.encode(); });
    state.counters["total_s"] = whole.seconds();
  }
  constexpr double kGibibyte = 1024.0 * 1024.0 * 1024.0;
  state.counters["peak_rss_GiB"] = static_cast<double>(peak_rss_bytes()) / kGibibyte;
}
BENCHMARK(run_block)->Name("block/cpu/7b")->Iterations(1)->Unit(benchmark::kSecond)->UseRealTime();

}  // namespace
}  // namespace btc::bench

int main(int argc, char** argv) {
  btc::keep_freed_memory();
  benchmark::Initialize(&argc, argv);
  btc::configure_torch(btc::bench::kThreads);
  benchmark::RunSpecifiedBenchmarks();
  benchmark::Shutdown();
  return 0;
}
