#pragma once
/// Synthetic Linears with correlated inputs.

#include <cmath>
#include <cstdint>
#include <memory>
#include <utility>

#include "common/rng.hpp"
#include "quant/hessian.hpp"

namespace btc::test {

/// Normal weights of deviation 0.02.
inline Matrix<float> normal_weights(std::size_t rows, std::size_t cols, std::uint64_t seed) {
  Rng rng(seed);
  Matrix<float> w(rows, cols);
  for (float& x : w.values()) {
    x = static_cast<float>(0.02 * rng.normal());
  }
  return w;
}

/// H of inputs whose columns follow an AR(1) process of this correlation, exact: rho^|i-j|.
inline Matrix<float> ar1_hessian(std::size_t m, double rho) {
  Matrix<float> h(m, m);
  for (std::size_t i = 0; i < m; ++i) {
    for (std::size_t j = 0; j < m; ++j) {
      const auto distance = static_cast<double>(i > j ? i - j : j - i);
      h(i, j) = static_cast<float>(std::pow(rho, distance));
    }
  }
  return h;
}

inline HessianFactor ar1_factor(std::size_t m, double rho, Backend& backend) {
  Matrix<float> h = ar1_hessian(m, rho);
  return factor_hessian(h, 0.01, backend);
}

/// a - b.
inline Matrix<float> difference(const Matrix<float>& a, const Matrix<float>& b) {
  Matrix<float> d = a;
  for (std::size_t e = 0; e < a.size(); ++e) {
    d.values()[e] -= b.values()[e];
  }
  return d;
}

}  // namespace btc::test
