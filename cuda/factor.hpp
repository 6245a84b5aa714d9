#pragma once
/// Where the elements of H and U lie in the arrays that cuSOLVER works on. A Cholesky factorisation
/// that starts at the last column is an ordinary one of the reversed matrix: with A = P H P = L L^T
/// (P reverses the order), R = P L P is upper triangular, H = R R^T and U = R^-1 = P L^-1 P.
///
/// cuSOLVER's arrays are column-major.

#include <cstddef>

#include "common/matrix.hpp"
#include "cuda/host_device.hpp"

namespace btc::cuda {

/// Element `e` of A [m, m], from the upper triangle of H.
BTC_HD inline double reversed_element(MatrixView<const float> h, std::size_t e) {
  const std::size_t m = h.rows();
  const std::size_t row = m - 1 - e % m;
  const std::size_t column = m - 1 - e / m;
  return row <= column ? h(row, column) : h(column, row);
}

/// U(row, column) out of L^-1 [m, m]; zero below the diagonal.
BTC_HD inline float factor_element(const double* l_inverse, std::size_t m, std::size_t row,
                                   std::size_t column) {
  return row <= column ? static_cast<float>(l_inverse[(m - 1 - column) * m + (m - 1 - row)]) : 0.0F;
}

}  // namespace btc::cuda
