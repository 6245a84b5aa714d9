#pragma once
/// How far numbers are from those that are expected.

#include <cmath>
#include <cstddef>
#include <span>

namespace btc::test {

/// |found - expected| / |expected|, Euclidean, in fp64.
inline double relative_distance(std::span<const float> found, std::span<const float> expected) {
  double distance = 0;
  double size = 0;
  for (std::size_t e = 0; e < expected.size(); ++e) {
    const auto wanted = static_cast<double>(expected[e]);
    distance += std::pow(static_cast<double>(found[e]) - wanted, 2);
    size += wanted * wanted;
  }
  return std::sqrt(distance / size);
}

}  // namespace btc::test
