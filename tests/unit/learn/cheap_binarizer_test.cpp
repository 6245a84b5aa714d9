#include "learn/cheap_binarizer.hpp"

#include <gmock/gmock.h>

#include <cmath>

#include "common/rng.hpp"

namespace btc {
namespace {

BinarizeParams params_of(int split_points, ScaleLayout scales) {
  BinarizeParams params;
  params.split_points = split_points;
  params.scales = scales;
  return params;
}

Matrix<float> quantized(const Matrix<float>& w, const BinarizeParams& params, std::size_t panel) {
  CheapBinarizer binarizer(params, panel);
  binarizer.regroup(w.view());
  binarizer.choose_signs(w.view());
  return binarizer.project(w.view());
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
  Rng rng(1);
  Matrix<float> w(16, 64);
  for (float& value : w.values()) {
    value = static_cast<float>(rng.normal());
  }
  double last = error_of(w, Matrix<float>(16, 64));
  for (int split_points = 0; split_points <= 3; ++split_points) {
    const double error =
        error_of(w, quantized(w, params_of(split_points, ScaleLayout::kPanel), 32));
    EXPECT_LT(error, 0.75 * last) << split_points;
    last = error;
  }
}

TEST(CheapBinarizer, GroupsStayUntilTheNextCall) {
  Matrix<float> w(1, 4);
  w.values() = {1, -1, 8, -8};
  CheapBinarizer binarizer(params_of(1, ScaleLayout::kRow), 4);
  binarizer.regroup(w.view());
  binarizer.choose_signs(w.view());
  EXPECT_EQ(binarizer.project(w.view()), w);
  Matrix<float> other(1, 4);
  other.values() = {8, -1, 1, -8};
  binarizer.choose_signs(other.view());
  EXPECT_NE(binarizer.project(other.view()), other);
  binarizer.regroup(other.view());
  binarizer.choose_signs(other.view());
  EXPECT_EQ(binarizer.project(other.view()), other);
}

}  // namespace
}  // namespace btc
