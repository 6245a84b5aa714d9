#include "learn/kronecker_rows.hpp"

#include <Eigen/Core>

namespace btc {
namespace {

using Square = Eigen::Matrix<float, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;

Eigen::Map<const Square> map(const Matrix<float>& matrix) {
  return {matrix.data(), static_cast<Eigen::Index>(matrix.rows()),
          static_cast<Eigen::Index>(matrix.cols())};
}
Eigen::Map<Square> map(Matrix<float>& matrix) {
  return {matrix.data(), static_cast<Eigen::Index>(matrix.rows()),
          static_cast<Eigen::Index>(matrix.cols())};
}

/// One row viewed as [a, b].
template <typename T, typename Values>
auto view_row(std::span<T> row, const Values& values) {
  using Map = Eigen::Map<std::conditional_t<std::is_const_v<T>, const Square, Square>>;
  return Map(row.data(), static_cast<Eigen::Index>(values.p1.rows()),
             static_cast<Eigen::Index>(values.p2.rows()));
}

void check_width(const TransformValues& values, MatrixView<const float> rows) {
  BTC_CHECK(rows.cols() == values.sign.size() && rows.cols() == values.p1.rows() * values.p2.rows(),
            "rows of ", rows.cols(), " for factors of ", values.p1.rows(), " and ",
            values.p2.rows());
}

}  // namespace

TransformGradient no_gradient(const TransformValues& values) {
  return {std::vector<float>(values.sign.size()), Matrix<float>(values.p1.rows(), values.p1.cols()),
          Matrix<float>(values.p2.rows(), values.p2.cols())};
}

Matrix<float> enter_rows(const TransformValues& values, MatrixView<const float> weights) {
  check_width(values, weights);
  Matrix<float> result(weights.rows(), weights.cols());
  const auto sign = view_row(std::span(values.sign), values);
  for (std::size_t i = 0; i < weights.rows(); ++i) {
    const Square signed_row = view_row(weights.row(i), values).cwiseProduct(sign);
    view_row(result.row(i), values) =
        map(values.inverse1) * signed_row * map(values.inverse2).transpose();
  }
  return result;
}

Matrix<float> fold_rows(const TransformValues& values, MatrixView<const float> weights) {
  check_width(values, weights);
  Matrix<float> result(weights.rows(), weights.cols());
  const auto sign = view_row(std::span(values.sign), values);
  for (std::size_t i = 0; i < weights.rows(); ++i) {
    const Square folded =
        map(values.p1) * view_row(weights.row(i), values) * map(values.p2).transpose();
    view_row(result.row(i), values) = folded.cwiseProduct(sign);
  }
  return result;
}

Matrix<float> add_fold_gradient(const TransformValues& values, MatrixView<const float> weights,
                                MatrixView<const float> gradient, TransformGradient& sums) {
  check_width(values, weights);
  Matrix<float> result(weights.rows(), weights.cols());
  const auto sign = view_row(std::span(values.sign), values);
  auto sign_sums = view_row(std::span(sums.sign), values);
  for (std::size_t i = 0; i < weights.rows(); ++i) {
    const auto x = view_row(weights.row(i), values);
    const auto g = view_row(gradient.row(i), values);
    const Square right = x * map(values.p2).transpose();  // X P2^T
    const Square signed_g = g.cwiseProduct(sign);
    map(sums.p1).noalias() += signed_g * right.transpose();
    map(sums.p2).noalias() += signed_g.transpose() * (map(values.p1) * x);
    sign_sums += g.cwiseProduct(map(values.p1) * right);
    view_row(result.row(i), values) = map(values.p1).transpose() * signed_g * map(values.p2);
  }
  return result;
}

Matrix<float> add_enter_gradient(const TransformValues& values, MatrixView<const float> weights,
                                 MatrixView<const float> gradient, TransformGradient& sums) {
  check_width(values, weights);
  Matrix<float> result(weights.rows(), weights.cols());
  const auto sign = view_row(std::span(values.sign), values);
  auto sign_sums = view_row(std::span(sums.sign), values);
  Matrix<float> inverse1(values.p1.rows(), values.p1.cols());
  Matrix<float> inverse2(values.p2.rows(), values.p2.cols());
  for (std::size_t i = 0; i < weights.rows(); ++i) {
    const auto w = view_row(weights.row(i), values);
    const auto g = view_row(gradient.row(i), values);
    const Square x = w.cwiseProduct(sign);
    const Square through = g * map(values.inverse2);  // G P2^-1
    map(inverse1).noalias() += through * x.transpose();
    map(inverse2).noalias() += g.transpose() * (map(values.inverse1) * x);
    const Square inner = map(values.inverse1).transpose() * through;  // for D W
    sign_sums += w.cwiseProduct(inner);
    view_row(result.row(i), values) = inner.cwiseProduct(sign);
  }
  subtract_through_inverse(values.inverse1, inverse1, sums.p1);
  subtract_through_inverse(values.inverse2, inverse2, sums.p2);
  return result;
}

void subtract_through_inverse(const Matrix<float>& inverse, const Matrix<float>& gradient,
                              Matrix<float>& sums) {
  map(sums).noalias() -= map(inverse).transpose() * map(gradient) * map(inverse).transpose();
}

}  // namespace btc
