#include "learn/kronecker_rows.hpp"

#include <ATen/core/Tensor.h>
#include <gmock/gmock.h>

#include <array>
#include <cmath>
#include <functional>
#include <utility>
#include <vector>

#include "learn/transform_values.hpp"
#include "model/linear_tensors.hpp"
#include "quant/transform.hpp"
#include "support/random_matrix.hpp"

namespace btc {
namespace {

using test::random_matrix;

Matrix<float> near_identity(std::size_t size, std::uint64_t seed) {
  Matrix<float> matrix = random_matrix(size, size, seed);
  for (std::size_t i = 0; i < size; ++i) {
    for (std::size_t j = 0; j < size; ++j) {
      matrix(i, j) = round_factor(Matrix<double>(
          1, 1, 0.2 * static_cast<double>(matrix(i, j)) + (i == j ? 1.0 : 0.0)))(0, 0);
    }
  }
  return matrix;
}

Matrix<float> inverse_of(const Matrix<float>& factor) {
  const Matrix<double> wide = invert_factor(factor);
  Matrix<float> inverse(wide.rows(), wide.cols());
  for (std::size_t e = 0; e < wide.size(); ++e) {
    inverse.values()[e] = static_cast<float>(wide.values()[e]);
  }
  return inverse;
}

/// T of one input with the inverses of its factors.
TransformValues values_of(Matrix<float> p1, Matrix<float> p2, std::vector<float> sign) {
  TransformValues values{std::move(sign), std::move(p1), std::move(p2), {}, {}};
  values.inverse1 = inverse_of(values.p1);
  values.inverse2 = inverse_of(values.p2);
  return values;
}

TransformValues some_values() {
  return values_of(near_identity(3, 1), near_identity(4, 2),
                   {1, -1, 1, 1, -1, -1, 1, -1, 1, 1, 1, -1});
}

void expect_near(const Matrix<float>& found, const Matrix<float>& expected) {
  ASSERT_EQ(found.size(), expected.size());
  for (std::size_t e = 0; e < found.size(); ++e) {
    EXPECT_NEAR(found.values()[e], expected.values()[e], 2e-5);
  }
}

double dot(const Matrix<float>& a, const Matrix<float>& b) {
  double sum = 0;
  for (std::size_t e = 0; e < a.size(); ++e) {
    sum += static_cast<double>(a.values()[e]) * static_cast<double>(b.values()[e]);
  }
  return sum;
}

/// One of the four ways, its arguments leaves of autograd.
using Way = std::function<at::Tensor(const at::Tensor& weights, const at::Tensor& sign,
                                     const at::Tensor& p1, const at::Tensor& p2)>;

at::Tensor leaf(const Matrix<float>& matrix) { return borrow(matrix.view()).requires_grad_(); }
at::Tensor leaf(const std::vector<float>& values) {
  return borrow(MatrixView<const float>(values.data(), 1, values.size()))
      .squeeze(0)
      .requires_grad_();
}

/// Central differences of <way(...), direction> for every entry of every argument, beside what
/// autograd finds.
void expect_slopes(const Way& way, std::array<Matrix<float>, 4> arguments,
                   const Matrix<float>& direction) {
  const auto tensors = [&] {
    return std::array<at::Tensor, 4>{leaf(arguments[0]), leaf(arguments[1].values()),
                                     leaf(arguments[2]), leaf(arguments[3])};
  };
  const auto value = [&] {
    const auto [w, sign, p1, p2] = tensors();
    return dot(to_matrix(way(w, sign, p1, p2).detach()), direction);
  };
  const auto leaves = tensors();
  way(leaves[0], leaves[1], leaves[2], leaves[3]).backward(borrow(direction.view()));
  for (std::size_t k = 0; k < arguments.size(); ++k) {
    const at::Tensor& found = leaves.at(k).grad();
    if (!found.defined()) {  // values have no P1
      continue;
    }
    const Matrix<float> gradient = to_matrix(found.reshape({1, -1}));
    for (std::size_t e = 0; e < arguments.at(k).size(); ++e) {
      constexpr float kStep = 1e-2F;
      float& entry = arguments.at(k).values()[e];
      const float start = entry;
      entry = start + kStep;
      const double plus = value();
      entry = start - kStep;
      const double minus = value();
      entry = start;
      const double slope = (plus - minus) / (2 * static_cast<double>(kStep));
      EXPECT_NEAR(gradient(0, e), slope, 0.01 + 0.01 * std::fabs(slope)) << k << " " << e;
    }
  }
}

Matrix<float> as_row(const std::vector<float>& values) {
  Matrix<float> row(1, values.size());
  row.values() = values;
  return row;
}

TEST(KroneckerRows, AgreeWithTheStoredTransform) {
  const TransformValues values = some_values();
  const Matrix<float> w = random_matrix(5, 12, 3);
  Matrix<float> signed_w = w;
  for (std::size_t i = 0; i < 5; ++i) {
    for (std::size_t j = 0; j < 12; ++j) {
      signed_w(i, j) *= values.sign[j];
    }
  }
  Matrix<float> expected = signed_w;
  enter_transform({values.p1, values.p2}, expected.view());
  const at::Tensor sign = leaf(values.sign).detach();
  const at::Tensor entered = enter_rows(borrow(w.view()), sign, borrow(values.inverse1.view()),
                                        borrow(values.inverse2.view()));
  expect_near(to_matrix(entered), expected);
  expect_near(to_matrix(fold_rows(borrow(expected), sign, borrow(values.p1.view()),
                                  borrow(values.p2.view()))),
              w);  // there and back
}

TEST(KroneckerRows, GradientsAreTheSlopes) {
  const TransformValues values = some_values();
  const Matrix<float> w = random_matrix(5, 12, 4);
  const Matrix<float> direction = random_matrix(5, 12, 5);
  expect_slopes(enter_rows, {w, as_row(values.sign), values.inverse1, values.inverse2}, direction);
  const Way fold = [](const at::Tensor& rows, const at::Tensor& sign, const at::Tensor& p1,
                      const at::Tensor& p2) { return fold_rows(rows, sign, p1, p2); };
  expect_slopes(fold, {w, as_row(values.sign), values.p1, values.p2}, direction);
}

/// Three key heads of four rows, two query heads each.
std::vector<float> shared_signs() {
  return {1, -1, 1, 1, 1, -1, 1, 1, -1, -1, 1, -1, -1, -1, 1, -1, 1, 1, 1, -1, 1, 1, 1, -1};
}

TEST(ValueRows, LeaveWhatTheyEntered) {
  const TransformValues output = some_values();
  const Matrix<float> w = random_matrix(12, 7, 8);
  const std::vector<float> signs = shared_signs();
  const at::Tensor sign = leaf(signs).detach();
  const at::Tensor entered = enter_values(borrow(w.view()), sign, borrow(output.p2.view()), 2);
  expect_near(to_matrix(leave_values(entered, sign, borrow(output.inverse2.view()), 2)), w);
  // Of the first row of the second head: sum over its rows of P2 and the signs.
  double expected = 0;
  for (std::size_t r = 0; r < 4; ++r) {
    expected += static_cast<double>(output.p2(r, 0) * signs[8 + r] * w(4 + r, 2));
  }
  EXPECT_NEAR(to_matrix(entered)(4, 2), expected, 1e-5);
}

TEST(ValueRows, GradientsAreTheSlopes) {
  const TransformValues output = some_values();
  const Matrix<float> w = random_matrix(12, 7, 11);
  const Matrix<float> direction = random_matrix(12, 7, 12);
  const Way enter = [](const at::Tensor& rows, const at::Tensor& sign, const at::Tensor& /*p1*/,
                       const at::Tensor& p2) { return enter_values(rows, sign, p2, 2); };
  const Way leave = [](const at::Tensor& rows, const at::Tensor& sign, const at::Tensor& /*p1*/,
                       const at::Tensor& inverse2) {
    return leave_values(rows, sign, inverse2, 2);
  };
  expect_slopes(enter, {w, as_row(shared_signs()), output.p1, output.p2}, direction);
  expect_slopes(leave, {w, as_row(shared_signs()), output.p1, output.inverse2}, direction);
}

}  // namespace
}  // namespace btc
