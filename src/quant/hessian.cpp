#include "quant/hessian.hpp"

#include <algorithm>
#include <cmath>

namespace btc {
namespace {

void check_hessian(const Matrix<float>& h) {
  BTC_CHECK(h.rows() == h.cols(), "H is [", h.rows(), ", ", h.cols(), "]");
  for (std::size_t i = 0; i < h.rows(); ++i) {
    for (std::size_t j = 0; j < h.cols(); ++j) {
      BTC_REQUIRE(NumericError, std::isfinite(h(i, j)), "Hessian: entry (", i, ", ", j, ") is ",
                  h(i, j));
    }
    BTC_REQUIRE(NumericError, h(i, i) >= 0, "Hessian: diagonal entry ", i, " is ", h(i, i),
                ", expected >= 0");
  }
}

}  // namespace

HessianFactor factor_hessian(Matrix<float>& h, double damping, Backend& backend) {
  constexpr int kRetries = 3;
  check_hessian(h);
  const std::size_t m = h.rows();
  HessianFactor factor;
  std::vector<float> diagonal(m);
  double trace = 0;
  for (std::size_t j = 0; j < m; ++j) {
    if (h(j, j) == 0) {
      factor.dead_columns.push_back(narrow<std::uint32_t>(j));
      h(j, j) = 1;
    }
    diagonal[j] = h(j, j);
    trace += static_cast<double>(h(j, j));
  }
  const double first_lambda = damping * trace / static_cast<double>(m);
  for (int attempt = 0;; ++attempt) {
    factor.lambda = first_lambda * std::pow(10.0, attempt);
    for (std::size_t j = 0; j < m; ++j) {
      h(j, j) = static_cast<float>(static_cast<double>(diagonal[j]) + factor.lambda);
    }
    try {
      factor.u = backend.factor(h.view());
      return factor;
    } catch (const NumericError& error) {
      BTC_REQUIRE(NumericError, attempt < kRetries, "Hessian: not positive definite, even with ",
                  factor.lambda, " added to the diagonal: ", error.what());
    }
  }
}

double undamped_energy(double damped, MatrixView<const float> e, const HessianFactor& factor) {
  double squares = 0;
  double dead = 0;
  for (std::size_t i = 0; i < e.rows(); ++i) {
    for (const float value : e.row(i)) {
      squares += static_cast<double>(value) * static_cast<double>(value);
    }
    for (const std::uint32_t j : factor.dead_columns) {
      dead += static_cast<double>(e(i, j)) * static_cast<double>(e(i, j));
    }
  }
  return std::max(damped - factor.lambda * squares - dead, 0.0);
}

double output_energy(MatrixView<const float> e, const HessianFactor& factor) {
  const std::size_t m = e.cols();
  std::vector<double> left(m);
  double damped = 0;
  for (std::size_t i = 0; i < e.rows(); ++i) {
    std::copy(e.row(i).begin(), e.row(i).end(), left.begin());
    for (std::size_t l = 0; l < m; ++l) {  // x U = row, eliminated from the left
      const auto u = factor.u.row(l);
      const double x = left[l] / static_cast<double>(u[l]);
      damped += x * x;
      for (std::size_t j = l + 1; j < m; ++j) {
        left[j] -= x * static_cast<double>(u[j]);
      }
    }
  }
  return undamped_energy(damped, e, factor);
}

}  // namespace btc
