#include "learn/kronecker_rows.hpp"

#include <gmock/gmock.h>

#include <cmath>
#include <functional>

#include "common/rng.hpp"
#include "learn/value_rows.hpp"
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

/// Central differences of <result(values), direction> for every entry of D, P1 and P2.
void expect_slopes(const TransformValues& values, const Matrix<float>& direction,
                   const std::function<Matrix<float>(const TransformValues&)>& result,
                   const TransformGradient& gradient) {
  constexpr float kStep = 1e-2F;
  const auto slope = [&](const std::function<void(TransformValues&, float)>& move) {
    const auto at = [&](float step) {
      TransformValues moved = values;
      move(moved, step);
      moved.inverse1 = inverse_of(moved.p1);
      moved.inverse2 = inverse_of(moved.p2);
      return dot(result(moved), direction);
    };
    return (at(kStep) - at(-kStep)) / (2 * static_cast<double>(kStep));
  };
  const auto expect_slope = [&](double found, double expected, const char* what, std::size_t e) {
    EXPECT_NEAR(found, expected, 0.01 + 0.01 * std::fabs(expected)) << what << " " << e;
  };
  for (std::size_t e = 0; e < values.sign.size(); ++e) {
    expect_slope(gradient.sign[e], slope([&](auto& v, float step) { v.sign[e] += step; }), "D", e);
  }
  for (std::size_t e = 0; e < values.p1.size(); ++e) {
    expect_slope(gradient.p1.values()[e],
                 slope([&](auto& v, float step) { v.p1.values()[e] += step; }), "P1", e);
  }
  for (std::size_t e = 0; e < values.p2.size(); ++e) {
    expect_slope(gradient.p2.values()[e],
                 slope([&](auto& v, float step) { v.p2.values()[e] += step; }), "P2", e);
  }
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
  expect_near(enter_rows(values, w.view()), expected);
  Matrix<float> folded = fold_rows(values, expected.view());
  expect_near(folded, w);  // there and back
}

TEST(KroneckerRows, GradientOfTheWayBack) {
  const TransformValues values = some_values();
  const Matrix<float> q = random_matrix(5, 12, 4);
  const Matrix<float> direction = random_matrix(5, 12, 5);
  TransformGradient gradient = no_gradient(values);
  const Matrix<float> inner = add_fold_gradient(values, q.view(), direction.view(), gradient);
  EXPECT_NEAR(dot(inner, q), dot(fold_rows(values, q.view()), direction), 1e-3);  // linear in Q
  expect_slopes(
      values, direction, [&](const TransformValues& v) { return fold_rows(v, q.view()); },
      gradient);
}

TEST(KroneckerRows, GradientOfTheWayIn) {
  const TransformValues values = some_values();
  const Matrix<float> w = random_matrix(5, 12, 6);
  const Matrix<float> direction = random_matrix(5, 12, 7);
  TransformGradient gradient = no_gradient(values);
  const Matrix<float> inner = add_enter_gradient(values, w.view(), direction.view(), gradient);
  EXPECT_NEAR(dot(inner, w), dot(enter_rows(values, w.view()), direction), 1e-3);  // linear in W
  expect_slopes(
      values, direction, [&](const TransformValues& v) { return enter_rows(v, w.view()); },
      gradient);
}

TEST(ValueRows, LeaveWhatTheyEntered) {
  const TransformValues output = some_values();
  const Matrix<float> w = random_matrix(12, 7, 8);  // three key heads of four rows
  expect_near(leave_values(output, 1, enter_values(output, 1, w.view()).view()), w);
}

TEST(ValueRows, GradientOfTheWayIn) {
  const TransformValues output = some_values();
  const Matrix<float> w = random_matrix(12, 7, 11);
  const Matrix<float> direction = random_matrix(12, 7, 12);
  TransformGradient gradient = no_gradient(output);
  add_value_gradient(output, 1, w.view(), direction.view(), gradient);
  expect_slopes(
      output, direction, [&](const TransformValues& v) { return enter_values(v, 1, w.view()); },
      gradient);
}

TEST(ValueRows, GradientOfTheWayBack) {
  const TransformValues output = some_values();
  const Matrix<float> f = random_matrix(12, 7, 9);
  const Matrix<float> direction = random_matrix(12, 7, 10);
  TransformGradient gradient = no_gradient(output);
  const Matrix<float> inner = add_leave_gradient(output, 1, f.view(), direction.view(), gradient);
  expect_slopes(
      output, direction, [&](const TransformValues& v) { return leave_values(v, 1, f.view()); },
      gradient);
  Matrix<float> moved = f;
  moved(5, 3) += 0.5F;  // linear in F
  EXPECT_NEAR(inner(5, 3),
              2 * (dot(leave_values(output, 1, moved.view()), direction) -
                   dot(leave_values(output, 1, f.view()), direction)),
              1e-4);
}

}  // namespace
}  // namespace btc
