#pragma once
/// Matrices of bf16 numbers, as bits and as floats.

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <limits>

#include "common/half.hpp"
#include "common/matrix.hpp"
#include "support/random_matrix.hpp"

namespace btc::test {

inline Matrix<std::uint16_t> bf16_bits(const Matrix<float>& values) {
  Matrix<std::uint16_t> bits(values.rows(), values.cols());
  std::transform(values.values().begin(), values.values().end(), bits.values().begin(),
                 float_to_bf16);
  return bits;
}

inline Matrix<float> bf16_values(const Matrix<std::uint16_t>& bits) {
  Matrix<float> values(bits.rows(), bits.cols());
  std::transform(bits.values().begin(), bits.values().end(), values.values().begin(),
                 bf16_to_float);
  return values;
}

/// Of a normal distribution.
inline Matrix<std::uint16_t> random_bf16_bits(std::size_t rows, std::size_t cols,
                                              std::uint64_t seed) {
  return bf16_bits(random_matrix(rows, cols, seed));
}

/// Next to every bf16 number of either sign, also beyond the largest one: itself, the ties to its
/// neighbour, and what lies beside them. Not NaN.
inline Matrix<float> values_around_all_bf16() {
  constexpr std::uint32_t kLower[] = {0, 1, 0x7fff, 0x8000, 0x8001, 0xffff};
  constexpr std::size_t kUpper = 2 * 0x7f80;  // of either sign up to the largest finite number
  Matrix<float> values(std::size(kLower), kUpper + 2);
  for (std::size_t i = 0; i < values.rows(); ++i) {
    for (std::size_t j = 0; j < kUpper; ++j) {
      const auto upper = static_cast<std::uint32_t>(j / 2 + (j % 2 == 0 ? 0 : 0x8000));
      values(i, j) = std::bit_cast<float>((upper << 16U) | kLower[i]);
    }
    values(i, kUpper) = std::numeric_limits<float>::infinity();
    values(i, kUpper + 1) = -std::numeric_limits<float>::infinity();
  }
  return values;
}

}  // namespace btc::test
