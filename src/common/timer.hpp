#pragma once
/// Wall-clock stopwatch and the memory high-water mark of this process.

#include <chrono>
#include <cstdint>

namespace btc {

/// Seconds since construction, monotonic.
class Timer {
 public:
  [[nodiscard]] double seconds() const {
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - start_).count();
  }

 private:
  std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
};

/// Largest resident set of this process so far, in bytes.
std::uint64_t peak_rss_bytes();

}  // namespace btc
