#include "quant/transform.hpp"

#include <Eigen/Eigenvalues>
#include <Eigen/LU>
#include <algorithm>
#include <cmath>
#include <utility>
#include <vector>

#include "common/half.hpp"
#include "common/rng.hpp"

namespace btc {

namespace {

using EigenMatrix = Eigen::Matrix<double, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;

Eigen::Map<const EigenMatrix> as_eigen(const Matrix<double>& matrix) {
  return {matrix.data(), static_cast<Eigen::Index>(matrix.rows()),
          static_cast<Eigen::Index>(matrix.cols())};
}

double dot(std::span<const double> x, std::span<const double> y) {
  double sum = 0;
  for (std::size_t i = 0; i < x.size(); ++i) {
    sum += x[i] * y[i];
  }
  return sum;
}

/// Takes what lies along the rows before row i out of it. Twice is enough for fp64.
void orthogonalize_row(Matrix<double>& rows, std::size_t i) {
  constexpr int kPasses = 2;
  const auto own = rows.row(i);
  for (int pass = 0; pass < kPasses; ++pass) {
    for (std::size_t k = 0; k < i; ++k) {
      const auto other = std::as_const(rows).row(k);
      const double along = dot(own, other);
      for (std::size_t j = 0; j < own.size(); ++j) {
        own[j] -= along * other[j];
      }
    }
  }
}

/// out[i, :] += sum_k left[k, i] x[k, :]
void multiply_left(const Matrix<double>& left, const Matrix<double>& x, Matrix<double>& out) {
  std::fill(out.values().begin(), out.values().end(), 0.0);
  for (std::size_t k = 0; k < x.rows(); ++k) {
    const auto from = x.row(k);
    for (std::size_t i = 0; i < out.rows(); ++i) {
      const double factor = left(k, i);
      const auto to = out.row(i);
      for (std::size_t j = 0; j < to.size(); ++j) {
        to[j] += factor * from[j];
      }
    }
  }
}

/// out = x right
void multiply_right(const Matrix<double>& x, const Matrix<double>& right, Matrix<double>& out) {
  std::fill(out.values().begin(), out.values().end(), 0.0);
  for (std::size_t i = 0; i < x.rows(); ++i) {
    const auto to = out.row(i);
    for (std::size_t k = 0; k < right.rows(); ++k) {
      const double factor = x(i, k);
      const auto from = right.row(k);
      for (std::size_t j = 0; j < to.size(); ++j) {
        to[j] += factor * from[j];
      }
    }
  }
}

/// Calls `use(i, values)` with left^T X right of every row X of `rows`, viewed as [a, b].
template <typename Use>
void for_each_product(MatrixView<const float> rows, const Matrix<double>& left,
                      const Matrix<double>& right, const Use& use) {
  const std::size_t width = rows.cols();
  const std::size_t b =
      right.empty() ? width / std::max<std::size_t>(left.rows(), 1) : right.rows();
  const std::size_t a = width / b;
  BTC_CHECK(a * b == width && (left.empty() || left.rows() == a), "factors [", left.rows(), ", ",
            right.rows(), "] for a width of ", width);
  Matrix<double> x(a, b);
  Matrix<double> y(a, b);
  for (std::size_t i = 0; i < rows.rows(); ++i) {
    const auto row = rows.row(i);
    std::copy(row.begin(), row.end(), x.values().begin());
    if (!left.empty()) {
      multiply_left(left, x, y);
      std::swap(x, y);
    }
    if (!right.empty()) {
      multiply_right(x, right, y);
      std::swap(x, y);
    }
    use(i, std::span<const double>(x.values()));
  }
}

}  // namespace

std::array<std::size_t, 2> factor_pair(std::size_t width) {
  constexpr std::size_t kPreferred = 8;
  std::array<std::size_t, 2> any = {1, width};
  std::array<std::size_t, 2> preferred = {0, 0};
  for (std::size_t a = 2; a * a <= width; ++a) {
    if (width % a != 0) {
      continue;
    }
    any = {a, width / a};
    if (a % kPreferred == 0 || any[1] % kPreferred == 0) {
      preferred = any;
    }
  }
  BTC_REQUIRE(ConfigError, any[0] > 1, "transform: an input of width ", width,
              " has no pair of factors, expected a width that is not prime");
  return preferred[0] > 0 ? preferred : any;
}

Matrix<double> random_orthogonal(std::size_t size, std::uint64_t seed) {
  Rng rng(seed);
  Matrix<double> rows(size, size);
  for (double& value : rows.values()) {
    value = rng.normal();
  }
  for (std::size_t i = 0; i < size; ++i) {
    orthogonalize_row(rows, i);
    const auto own = rows.row(i);
    const double norm = std::sqrt(dot(own, own));
    for (double& value : own) {
      value /= norm;
    }
  }
  return rows;
}

Matrix<float> round_factor(const Matrix<double>& factor) {
  Matrix<float> rounded(factor.rows(), factor.cols());
  for (std::size_t i = 0; i < factor.size(); ++i) {
    const double value = factor.values()[i];
    BTC_REQUIRE(NumericError, std::isfinite(value), "transform: a factor has the value ", value);
    rounded.values()[i] = round_to_fp16(static_cast<float>(value));
  }
  return rounded;
}

Matrix<double> widen(const Matrix<float>& factor) {
  Matrix<double> wide(factor.rows(), factor.cols());
  std::copy(factor.values().begin(), factor.values().end(), wide.values().begin());
  return wide;
}

Matrix<double> invert_factor(const Matrix<float>& factor) {
  BTC_CHECK(factor.rows() == factor.cols(), "factor is [", factor.rows(), ", ", factor.cols(), "]");
  if (factor.empty()) {
    return {};
  }
  const Matrix<double> wide = widen(factor);
  const EigenMatrix p = as_eigen(wide);
  const EigenMatrix gram = p.transpose() * p;
  const Eigen::SelfAdjointEigenSolver<EigenMatrix> values(gram, Eigen::EigenvaluesOnly);
  const double lowest = values.eigenvalues().minCoeff();
  const double highest = values.eigenvalues().maxCoeff();
  BTC_REQUIRE(NumericError, lowest > 0 && highest <= kMaxCondition * kMaxCondition * lowest,
              "transform: the condition number of a factor of size ", factor.rows(), " is ",
              std::sqrt(highest / std::max(lowest, 0.0)), ", expected at most ", kMaxCondition);
  const EigenMatrix inverse = p.partialPivLu().inverse();
  Matrix<double> result(factor.rows(), factor.cols());
  std::copy_n(inverse.data(), result.size(), result.data());
  return result;
}

void apply_kronecker(MatrixView<float> rows, const Matrix<double>& left,
                     const Matrix<double>& right) {
  if (left.empty() && right.empty()) {
    return;
  }
  for_each_product(rows, left, right, [&](std::size_t i, std::span<const double> product) {
    std::transform(product.begin(), product.end(), rows.row(i).begin(),
                   [](double value) { return static_cast<float>(value); });
  });
}

void enter_transform(const KroneckerFactors& factors, MatrixView<float> weights) {
  apply_kronecker(weights, transposed(invert_factor(factors.p1)),
                  transposed(invert_factor(factors.p2)));
}

void fold_transform(const KroneckerFactors& factors, MatrixView<float> weights) {
  apply_kronecker(weights, transposed(widen(factors.p1)), transposed(widen(factors.p2)));
}

void fold_rows(const KroneckerFactors& factors, MatrixView<const float> weights,
               const std::function<void(std::size_t, std::span<const double>)>& use) {
  for_each_product(weights, transposed(widen(factors.p1)), transposed(widen(factors.p2)), use);
}

void unfold_gradient(const KroneckerFactors& factors, MatrixView<float> gradient) {
  apply_kronecker(gradient, widen(factors.p1), widen(factors.p2));
}

void transform_hessian(const KroneckerFactors& factors, Matrix<float>& hessian) {
  if (factors.identity()) {
    return;
  }
  const Matrix<double> p1 = widen(factors.p1);
  const Matrix<double> p2 = widen(factors.p2);
  apply_kronecker(hessian.view(), p1, p2);
  hessian = transposed(hessian);
  apply_kronecker(hessian.view(), p1, p2);
  for (std::size_t i = 0; i < hessian.rows(); ++i) {
    for (std::size_t j = 0; j < i; ++j) {
      hessian(j, i) = hessian(i, j);
    }
  }
}

}  // namespace btc
