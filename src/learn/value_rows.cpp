#include "learn/value_rows.hpp"

#include <Eigen/Core>

namespace btc {
namespace {

using Square = Eigen::Matrix<float, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
using ConstMap = Eigen::Map<const Square>;
using Map = Eigen::Map<Square>;

ConstMap map(const Matrix<float>& m) {
  return {m.data(), static_cast<Eigen::Index>(m.rows()), static_cast<Eigen::Index>(m.cols())};
}

/// The rows of one key head, and its signs.
struct Head {
  std::size_t first_row;
  std::size_t first_sign;
  Eigen::Map<const Eigen::VectorXf> sign;

  Head(const TransformValues& output, std::size_t shared_by, std::size_t number)
      : first_row(number * output.p2.rows()),
        first_sign(first_row * shared_by),
        sign(output.sign.data() + first_sign, static_cast<Eigen::Index>(output.p2.rows())) {}

  [[nodiscard]] ConstMap of(MatrixView<const float> weights) const {
    return {weights.row(first_row).data(), sign.size(), static_cast<Eigen::Index>(weights.cols())};
  }
  void add_signs(const Eigen::VectorXf& by_sign, TransformGradient& sums) const {
    for (Eigen::Index i = 0; i < by_sign.size(); ++i) {
      sums.sign[first_sign + static_cast<std::size_t>(i)] += by_sign[i];
    }
  }
  [[nodiscard]] Map of(Matrix<float>& weights) const {
    return {weights.row(first_row).data(), sign.size(), static_cast<Eigen::Index>(weights.cols())};
  }
};

std::size_t head_count(const TransformValues& output, MatrixView<const float> weights) {
  BTC_CHECK(weights.rows() % output.p2.rows() == 0 && weights.stride() == weights.cols(),
            weights.rows(), " rows for heads of ", output.p2.rows());
  return weights.rows() / output.p2.rows();
}

}  // namespace

Matrix<float> enter_values(const TransformValues& output, std::size_t shared_by,
                           MatrixView<const float> weights) {
  Matrix<float> result(weights.rows(), weights.cols());
  for (std::size_t h = 0; h < head_count(output, weights); ++h) {
    const Head head(output, shared_by, h);
    head.of(result).noalias() =
        map(output.p2).transpose() * (head.sign.asDiagonal() * head.of(weights));
  }
  return result;
}

void add_value_gradient(const TransformValues& output, std::size_t shared_by,
                        MatrixView<const float> weights, MatrixView<const float> gradient,
                        TransformGradient& sums) {
  Map p2_sums(sums.p2.data(), static_cast<Eigen::Index>(sums.p2.rows()),
              static_cast<Eigen::Index>(sums.p2.cols()));
  for (std::size_t h = 0; h < head_count(output, weights); ++h) {
    const Head head(output, shared_by, h);
    p2_sums.noalias() +=
        (head.sign.asDiagonal() * head.of(weights)) * head.of(gradient).transpose();
    const Square turned = map(output.p2) * head.of(gradient);
    head.add_signs(turned.cwiseProduct(head.of(weights)).rowwise().sum(), sums);
  }
}

Matrix<float> leave_values(const TransformValues& output, std::size_t shared_by,
                           MatrixView<const float> weights) {
  Matrix<float> result(weights.rows(), weights.cols());
  for (std::size_t h = 0; h < head_count(output, weights); ++h) {
    const Head head(output, shared_by, h);
    head.of(result) =
        head.sign.asDiagonal() * (map(output.inverse2).transpose() * head.of(weights));
  }
  return result;
}

Matrix<float> add_leave_gradient(const TransformValues& output, std::size_t shared_by,
                                 MatrixView<const float> weights, MatrixView<const float> gradient,
                                 TransformGradient& sums) {
  Matrix<float> result(weights.rows(), weights.cols());
  Matrix<float> inverse(output.p2.rows(), output.p2.cols());
  Map inverse_sums(inverse.data(), static_cast<Eigen::Index>(inverse.rows()),
                   static_cast<Eigen::Index>(inverse.cols()));
  for (std::size_t h = 0; h < head_count(output, weights); ++h) {
    const Head head(output, shared_by, h);
    const Square turned = map(output.inverse2).transpose() * head.of(weights);
    const Square signed_gradient = head.sign.asDiagonal() * head.of(gradient);
    inverse_sums.noalias() += head.of(weights) * signed_gradient.transpose();
    head.of(result).noalias() = map(output.inverse2) * signed_gradient;
    head.add_signs(head.of(gradient).cwiseProduct(turned).rowwise().sum(), sums);
  }
  subtract_through_inverse(output.inverse2, inverse, sums.p2);
  return result;
}

}  // namespace btc
