/// Seconds of each part of a 7B block on two threads, and the largest resident set.
///
/// `hessian_s` is that part of binarize (reading, forward, Hessians) run once more by itself.

#include "bench/block_run.hpp"

#include <benchmark/benchmark.h>

#include <functional>

#include "bench/two_threads.hpp"

namespace btc::bench {
namespace {

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
    state.counters["file_s"] = seconds([&] { block.pass_file(); });
    state.counters["codebook_s"] = seconds([&] { block.learn(); });
    state.counters["encode_s"] =
        seconds([&] { state.counters["relative_error"] = block.encode(); });
    state.counters["total_s"] = whole.seconds();
  }
  report_peak(state);
}
BENCHMARK(run_block)->Name("block/cpu/7b")->Iterations(1)->Unit(benchmark::kSecond)->UseRealTime();

}  // namespace
}  // namespace btc::bench

int main(int argc, char** argv) { return btc::bench::run(argc, argv); }
