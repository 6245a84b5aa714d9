#pragma once
/// Sums over the rows of a matrix in an order that depends on its shape alone.

#include <cstddef>

#include "common/matrix.hpp"
#include "cuda/host_device.hpp"

namespace btc::cuda {

/// Rows that one thread adds up, in ascending order.
inline constexpr std::size_t kSumRows = 64;

/// Sum number `chunk` of a column: of rows [64 chunk, 64 chunk + 64).
template <typename T>
BTC_HD T sum_rows(MatrixView<const T> values, std::size_t chunk, std::size_t column) {
  const std::size_t begin = chunk * kSumRows;
  const std::size_t end = values.rows() - begin < kSumRows ? values.rows() : begin + kSumRows;
  T sum = 0;
  for (std::size_t i = begin; i < end; ++i) {
    sum += values(i, column);
  }
  return sum;
}

}  // namespace btc::cuda
