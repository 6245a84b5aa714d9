#include "learn/cheap_binarizer.hpp"

#include <ATen/core/Tensor.h>
#include <gmock/gmock.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <span>
#include <vector>

#include "model/linear_tensors.hpp"
#include "quant/split_points.hpp"
#include "support/random_matrix.hpp"

namespace btc {
namespace {

BinarizeParams params_of(int split_points, ScaleLayout scales) {
  BinarizeParams params;
  params.split_points = split_points;
  params.scales = scales;
  return params;
}

Matrix<float> projected(const CheapBinarizer& binarizer, const Matrix<float>& x) {
  return to_matrix(binarizer.project(borrow(x.view())));
}

CheapBinarizer binarizer_of(const Matrix<float>& w, const BinarizeParams& params,
                            std::size_t panel) {
  CheapBinarizer binarizer(params, panel);
  binarizer.regroup(borrow(w.view()));
  binarizer.choose_signs(borrow(w.view()));
  return binarizer;
}

Matrix<float> quantized(const Matrix<float>& w, const BinarizeParams& params, std::size_t panel) {
  return projected(binarizer_of(w, params, panel), w);
}

double error_of(const Matrix<float>& w, const Matrix<float>& q) {
  double sum = 0;
  for (std::size_t e = 0; e < w.size(); ++e) {
    sum += std::pow(static_cast<double>(w.values()[e] - q.values()[e]), 2);
  }
  return sum;
}

TEST(CheapBinarizer, TwoValuesInAPanelAreExact) {
  Matrix<float> w(2, 6);
  w.values() = {1, -2, 5, 3, 3, 3, -1, 4, 0, 2, 8, -8};  // three panels of two columns
  EXPECT_EQ(quantized(w, params_of(0, ScaleLayout::kPanel), 2), w);
}

TEST(CheapBinarizer, WholeRowsHaveNoMean) {
  Matrix<float> w(1, 4);
  w.values() = {1, 3, -2, 2};
  const Matrix<float> q = quantized(w, params_of(0, ScaleLayout::kRow), 4);
  EXPECT_THAT(q.values(), ::testing::ElementsAre(2, 2, -2, 2));
}

TEST(CheapBinarizer, MoreGroupsLeaveLessError) {
  const Matrix<float> w = test::random_matrix(16, 64, 1);
  double last = error_of(w, Matrix<float>(16, 64));
  for (int split_points = 0; split_points <= 3; ++split_points) {
    const double error =
        error_of(w, quantized(w, params_of(split_points, ScaleLayout::kPanel), 32));
    EXPECT_LT(error, 0.75 * last) << split_points;
    last = error;
  }
}

/// mu + alpha B of some entries of x by the normal equations of least squares; alpha B where there
/// is no mean. B = sign(w - mean of w), or sign(w).
void fit_by_hand(std::span<const float> w, std::span<const float> x,
                 std::span<const std::size_t> members, bool mean, std::span<float> q) {
  double middle = 0;
  for (const std::size_t j : members) {
    middle += mean ? static_cast<double>(w[j]) / static_cast<double>(members.size()) : 0;
  }
  const auto sign = [&](std::size_t j) { return static_cast<double>(w[j]) < middle ? -1 : 1; };
  const auto n = static_cast<double>(members.size());
  double b = 0;
  double sum = 0;
  double signed_sum = 0;
  for (const std::size_t j : members) {
    b += sign(j);
    sum += static_cast<double>(x[j]);
    signed_sum += sign(j) * static_cast<double>(x[j]);
  }
  double alpha = signed_sum / n;
  double mu = 0;
  if (mean && n * n > b * b) {
    alpha = (n * signed_sum - b * sum) / (n * n - b * b);
    mu = (n * sum - b * signed_sum) / (n * n - b * b);
  }
  for (const std::size_t j : members) {
    q[j] = static_cast<float>(mu + alpha * sign(j));
  }
}

/// Writes the same of a row of a panel to `q`, group by group.
void project_by_hand(std::span<const float> w, std::span<const float> x,
                     std::span<const std::uint8_t> group, bool mean, std::span<float> q) {
  for (std::uint8_t g = 0; g < 2; ++g) {
    std::vector<std::size_t> members;
    for (std::size_t j = 0; j < w.size(); ++j) {
      if (group[j] == g) {
        members.push_back(j);
      }
    }
    if (!members.empty()) {
      fit_by_hand(w, x, members, mean, q);
    }
  }
}

// Of the weights themselves and of anything else; 50 columns are three whole panels and a part.
TEST(CheapBinarizer, ProjectsOnTheSpanOfOneAndTheSigns) {
  const Matrix<float> w = test::random_matrix(6, 50, 3);
  const Matrix<float> x = test::random_matrix(6, 50, 4);
  for (const ScaleLayout scales : {ScaleLayout::kPanel, ScaleLayout::kRow}) {
    const bool mean = scales == ScaleLayout::kPanel;
    const std::size_t panel = mean ? 16 : 50;
    BinarizeParams params = params_of(1, scales);
    const Matrix<float> found = projected(binarizer_of(w, params, panel), x);
    params.split_rule = SplitRule::kMagnitude;
    Matrix<float> expected(6, 50);
    for (std::size_t begin = 0; begin < 50; begin += panel) {
      const std::size_t width = std::min<std::size_t>(panel, 50 - begin);
      const auto own = w.view().columns(begin, begin + width);
      Matrix<std::uint8_t> group(6, width);
      group_by_thresholds(own, magnitude_thresholds(own, group.view(), params).view(),
                          group.view());
      for (std::size_t i = 0; i < 6; ++i) {
        project_by_hand(own.row(i), x.row(i).subspan(begin, width), group.row(i), mean,
                        expected.row(i).subspan(begin, width));
      }
    }
    for (std::size_t e = 0; e < found.size(); ++e) {
      EXPECT_NEAR(found.values()[e], expected.values()[e], 1e-5) << "entry " << e;
    }
  }
}

TEST(CheapBinarizer, GroupsStayUntilTheNextCall) {
  Matrix<float> w(1, 4);
  w.values() = {1, -1, 8, -8};
  CheapBinarizer binarizer = binarizer_of(w, params_of(1, ScaleLayout::kRow), 4);
  EXPECT_EQ(projected(binarizer, w), w);
  Matrix<float> other(1, 4);
  other.values() = {8, -1, 1, -8};
  binarizer.choose_signs(borrow(other));
  EXPECT_NE(projected(binarizer, other), other);
  binarizer.regroup(borrow(other));
  binarizer.choose_signs(borrow(other));
  EXPECT_EQ(projected(binarizer, other), other);
}

}  // namespace
}  // namespace btc
