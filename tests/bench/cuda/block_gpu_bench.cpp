/// Seconds of each part of a block on device 0, with all cores for what the host does. LibTorch
/// runs on the device too where the program has its CUDA half.
///
/// `hessian_s` is that part of binarize (reading, forward, Hessians) run once more by itself. One
/// more run under the records of CUPTI says what the device does in each part: `*_kernel_s` and
/// `*_copy_s` are sums over its streams. The longest kernels are listed above the table.

#include <benchmark/benchmark.h>

#include <algorithm>
#include <cstdio>
#include <functional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "bench/block_run.hpp"
#include "bench/cuda/device_time.hpp"
#include "common/allocation.hpp"

namespace btc::bench {
namespace {

int cores() { return static_cast<int>(std::thread::hardware_concurrency()); }

TorchPlace torch_place() { return torch_has_cuda() ? torch_place_of_rank(0) : TorchPlace{}; }

/// Runs a part of the block and notes under its name what it took.
using Observe = std::function<void(const std::string& name, const std::function<void()>& part)>;

void run_parts(const ModelConfig& config, Backend& backend, const Observe& observe,
               double* relative_error) {
  BlockRun block(config, backend, torch_place());
  block.sum_hessians();  // opens libraries and caches
  observe("hessian", [&] { block.sum_hessians(); });
  observe("binarize", [&] { block.binarize(); });
  observe("file", [&] { block.pass_file(); });
  observe("codebook", [&] { block.learn(); });
  observe("encode", [&] { *relative_error = block.encode(); });
}

/// Lists the kernels that take most of a part.
void print_longest(const std::string& part, const DeviceTime& time) {
  constexpr std::size_t kListed = 8;
  std::vector<std::pair<double, std::string>> kernels;
  for (const auto& [kernel, microseconds] : time.us_by_kernel) {
    kernels.emplace_back(microseconds, kernel);
  }
  std::sort(kernels.rbegin(), kernels.rend());
  kernels.resize(std::min(kernels.size(), kListed));
  for (const auto& [microseconds, kernel] : kernels) {
    std::printf("%-9s %8.1f ms  %s\n", part.c_str(), microseconds * 1e-3, kernel.c_str());
  }
}

void run_block(benchmark::State& state, const ModelConfig& config) {
  keep_freed_memory();
  configure_torch(cores());
  const auto backend = make_cuda_backend(0, cores());
  double error = 0;
  for (auto _ : state) {
    run_parts(
        config, *backend,
        [&](const std::string& name, const std::function<void()>& part) {
          const Timer timer;
          part();
          state.counters[name + "_s"] = timer.seconds();
        },
        &error);
    state.counters["relative_error"] = error;
    run_parts(
        config, *backend,
        [&](const std::string& name, const std::function<void()>& part) {
          const DeviceTime time = device_time(part);
          state.counters[name + "_kernel_s"] = time.kernels_us * 1e-6;
          state.counters[name + "_copy_s"] = time.copies_us * 1e-6;
          state.counters[name + "_copy_GB"] = time.copied_bytes * 1e-9;
          print_longest(name, time);
        },
        &error);
  }
}

void add(const std::string& name, const ModelConfig& config) {
  benchmark::RegisterBenchmark(("block/cuda/" + name).c_str(), run_block, config)
      ->Iterations(1)
      ->Unit(benchmark::kSecond)
      ->UseRealTime();
}

const bool kAdded = [] {
  add("7b", llama(4096, 11008));
  add("65b", llama(8192, 22016));
  return true;
}();

}  // namespace
}  // namespace btc::bench
