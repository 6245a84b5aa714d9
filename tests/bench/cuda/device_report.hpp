#pragma once
/// Counters of the benchmarks of a device.
///
///   time          ours, the whole call: copies to and from the device included (wall clock)
///   peer_ratio    the peer's whole call over ours
///   kernel_us     our kernels alone; kernels, copy_us: how many, and the copies of the same call
///   peer_kernel_us, kernel_ratio  the peer's kernels alone, and what they are over ours
///
/// CUPTI stays attached, idle, once the first case has asked it: for launch times without it run
/// one case alone.

#include <benchmark/benchmark.h>

#include <exception>
#include <functional>

#include "bench/cuda/device_time.hpp"
#include "bench/side_by_side.hpp"

namespace btc::bench {

/// Sets the counters above from one more call of each. Where CUPTI refuses, they stay away and its
/// reason becomes the label.
inline void report_kernels(benchmark::State& state, const std::function<void()>& ours,
                           const std::function<void()>& peer) {
  try {
    const DeviceTime own = device_time(ours);
    const DeviceTime other = device_time(peer);
    state.counters["kernel_us"] = own.kernels_us;
    state.counters["kernels"] = static_cast<double>(own.kernels);
    state.counters["copy_us"] = own.copies_us;
    state.counters["peer_kernel_us"] = other.kernels_us;
    state.counters["peer_kernels"] = static_cast<double>(other.kernels);
    state.counters["peer_copy_us"] = other.copies_us;
    if (own.kernels_us > 0.0) {
      state.counters["kernel_ratio"] = other.kernels_us / own.kernels_us;
    }
  } catch (const std::exception& error) {
    state.SetLabel(error.what());
  }
}

}  // namespace btc::bench
