#include "common/rng.hpp"

#include <xxhash.h>

#include <cmath>
#include <numbers>
#include <string>

#include "common/error.hpp"

namespace btc {

std::uint64_t derive_seed(std::uint64_t run_seed, std::string_view purpose, std::uint64_t index) {
  const std::string text = concat(run_seed, "/", purpose, "/", index);
  return XXH3_64bits(text.data(), text.size());
}

std::uint64_t Rng::below(std::uint64_t n) {
  BTC_CHECK(n > 0, "an empty range has no member");
  const std::uint64_t limit = UINT64_MAX - UINT64_MAX % n;
  std::uint64_t value = next();
  while (value >= limit) {
    value = next();
  }
  return value % n;
}

double Rng::normal() {
  const double radius = std::sqrt(-2.0 * std::log1p(-uniform()));
  return radius * std::cos(2.0 * std::numbers::pi * uniform());
}

}  // namespace btc
