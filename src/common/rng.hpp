#pragma once
/// Reproducible random numbers: the seed of every use is a hash, never a shared stream.

#include <cstdint>
#include <random>
#include <string_view>

namespace btc {

/// Seed for one purpose of one run: XXH3-64 of "run_seed/purpose/index".
std::uint64_t derive_seed(std::uint64_t run_seed, std::string_view purpose, std::uint64_t index);

/// MT19937-64, whose stream the C++ standard fixes. Distributions are our own for the same reason.
class Rng {
 public:
  explicit Rng(std::uint64_t seed) : engine_(seed) {}
  std::uint64_t next() { return engine_(); }
  /// Uniform in [0, 1), 53 bits.
  double uniform() { return static_cast<double>(engine_() >> 11U) * 0x1p-53; }
  /// Uniform in [0, n) without bias. @pre n > 0
  std::uint64_t below(std::uint64_t n);
  /// Standard normal (Box-Muller).
  double normal();

 private:
  std::mt19937_64 engine_;
};

}  // namespace btc
