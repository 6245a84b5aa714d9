#include <cmath>
#include <cstddef>

#include "backend/check_input.hpp"
#include "backend/reference/sessions.hpp"
#include "common/error.hpp"

namespace btc {
namespace {

/// Upper triangular R with H = R R^T: a Cholesky factorisation that starts at the last column.
Matrix<double> reversed_cholesky(MatrixView<const float> h) {
  const std::size_t m = h.rows();
  Matrix<double> r(m, m);
  for (std::size_t j = m; j-- > 0;) {
    for (std::size_t i = j + 1; i-- > 0;) {
      double sum = h(i, j);
      for (std::size_t k = j + 1; k < m; ++k) {
        sum -= r(i, k) * r(j, k);
      }
      if (i == j) {
        BTC_REQUIRE(NumericError, sum > 0.0, "factor: H [", m, ", ", m,
                    "] is not positive definite: pivot ", j, " is ", sum);
        r(j, j) = std::sqrt(sum);
      } else {
        r(i, j) = sum / r(j, j);
      }
    }
  }
  return r;
}

}  // namespace

Matrix<float> reference_factor(MatrixView<const float> h) {
  check_hessian(h);
  const std::size_t m = h.rows();
  const Matrix<double> r = reversed_cholesky(h);
  Matrix<double> u(m, m);  // solves R U = I from the last row upwards
  for (std::size_t i = m; i-- > 0;) {
    u(i, i) = 1.0;
    for (std::size_t k = i + 1; k < m; ++k) {
      for (std::size_t j = k; j < m; ++j) {
        u(i, j) -= r(i, k) * u(k, j);
      }
    }
    for (std::size_t j = i; j < m; ++j) {
      u(i, j) /= r(i, i);
    }
  }
  Matrix<float> result(m, m);
  for (std::size_t i = 0; i < m; ++i) {
    for (std::size_t j = i; j < m; ++j) {
      result(i, j) = static_cast<float>(u(i, j));
    }
  }
  return result;
}

}  // namespace btc
