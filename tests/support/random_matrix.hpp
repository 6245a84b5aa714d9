#pragma once
/// Matrices of random numbers.

#include <cstddef>
#include <cstdint>

#include "common/matrix.hpp"
#include "common/rng.hpp"

namespace btc::test {

/// Entries of a normal distribution with this standard deviation, row by row.
inline Matrix<float> random_matrix(std::size_t rows, std::size_t cols, Rng& rng,
                                   double deviation = 1.0) {
  Matrix<float> matrix(rows, cols);
  for (float& value : matrix.values()) {
    value = static_cast<float>(deviation * rng.normal());
  }
  return matrix;
}

/// The same from a seed of its own.
inline Matrix<float> random_matrix(std::size_t rows, std::size_t cols, std::uint64_t seed) {
  Rng rng(seed);
  return random_matrix(rows, cols, rng);
}

}  // namespace btc::test
