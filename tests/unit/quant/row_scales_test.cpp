#include "quant/row_scales.hpp"

#include <gmock/gmock.h>

#include <array>
#include <cmath>

#include "backend/panel.hpp"
#include "common/rng.hpp"
#include "unit/quant/problems.hpp"

namespace btc {
namespace {

using ::testing::Each;
using ::testing::ElementsAre;
using ::testing::FloatNear;

TEST(RowScales, RecoverAProductOfRowAndColumnScales) {
  Matrix<float> w(6, 10);
  Matrix<std::uint8_t> group(6, 10);
  for (std::size_t i = 0; i < 6; ++i) {
    for (std::size_t j = 0; j < 10; ++j) {
      group(i, j) = (i + j) % 3 == 0 ? 1 : 0;
      const double row = (1.0 + static_cast<double>(i)) * (group(i, j) == 1 ? 4 : 1);
      const double column = 0.55 + 0.1 * static_cast<double>(j);  // mean 1
      w(i, j) = static_cast<float>(((i * j) % 2 == 0 ? 1 : -1) * row * column);
    }
  }
  const std::vector<float> h(10, 1.0F);
  const RowScales scales = fit_row_scales({w.view(), group.view(), 2, h}, 50);
  for (std::size_t j = 0; j < 10; ++j) {
    EXPECT_NEAR(scales.alpha_col[j], 0.55 + 0.1 * static_cast<double>(j), 1e-2);
  }
  EXPECT_NEAR(scales.alpha(2, 0), 3, 3e-2);
  EXPECT_NEAR(scales.alpha(2, 1), 12, 0.1);
}

TEST(RowScales, SharedRatiosAreExactForAProduct) {
  const Matrix<float> w(3, 8);
  Matrix<std::uint8_t> group(3, 8);
  RowScales scales;
  scales.alpha = Matrix<float>(3, 3);
  for (std::size_t i = 0; i < 3; ++i) {
    for (std::size_t j = 0; j < 8; ++j) {
      group(i, j) = static_cast<std::uint8_t>((i + j) % 3);
    }
    const float row = 1.0F + static_cast<float>(i);
    scales.alpha(i, 0) = row;
    scales.alpha(i, 1) = 2 * row;
    scales.alpha(i, 2) = 5 * row;
  }
  scales.alpha_col.assign(8, 1.0F);
  const std::vector<float> h = {1, 2, 3, 4, 5, 6, 7, 8};
  const Matrix<float> before = scales.alpha;
  share_group_ratio({w.view(), group.view(), 3, h}, scales);
  EXPECT_THAT(scales.group_ratio, ElementsAre(1, FloatNear(2, 1e-5F), FloatNear(5, 1e-5F)));
  for (std::size_t e = 0; e < before.size(); ++e) {
    EXPECT_NEAR(scales.alpha.values()[e], before.values()[e], 1e-4);
  }
}

// No other ratio, with the best row scales for it, comes nearer in the metric.
TEST(RowScales, SharedRatiosAreTheNearest) {
  Rng rng(4);
  const Matrix<float> w(12, 40);
  Matrix<std::uint8_t> group(12, 40);
  for (std::uint8_t& g : group.values()) {
    g = rng.uniform() < 0.1 ? 1 : 0;
  }
  RowScales scales;
  scales.alpha = Matrix<float>(12, 2);
  for (float& alpha : scales.alpha.values()) {
    alpha = 0.5F + static_cast<float>(rng.uniform());
  }
  scales.alpha_col.resize(40);
  std::vector<float> h(40);
  for (std::size_t j = 0; j < 40; ++j) {
    scales.alpha_col[j] = 0.5F + static_cast<float>(rng.uniform());
    h[j] = 0.1F + static_cast<float>(rng.uniform());
  }
  const auto own = scales.alpha;
  const auto loss = [&](double ratio) {  // each row's scale solved for by itself
    double sum = 0;
    for (std::size_t i = 0; i < 12; ++i) {
      std::array<double, 2> worth{};
      for (std::size_t j = 0; j < 40; ++j) {
        worth.at(group(i, j)) +=
            static_cast<double>(h[j]) * std::pow(static_cast<double>(scales.alpha_col[j]), 2);
      }
      const double a0 = own(i, 0);
      const double a1 = own(i, 1);
      const double a =
          (worth[0] * a0 + worth[1] * ratio * a1) / (worth[0] + worth[1] * ratio * ratio);
      sum += worth[0] * std::pow(a0 - a, 2) + worth[1] * std::pow(a1 - ratio * a, 2);
    }
    return sum;
  };
  share_group_ratio({w.view(), group.view(), 2, h}, scales);
  const auto found = static_cast<double>(scales.group_ratio[1]);
  EXPECT_LT(loss(found), loss(found * 1.01));
  EXPECT_LT(loss(found), loss(found * 0.99));
  EXPECT_FLOAT_EQ(scales.alpha(5, 1), scales.alpha(5, 0) * scales.group_ratio[1]);
}

// Group 0 has no entries. The others keep their product: 6 = 3 * 2, 9 = 4.5 * 2; its ratio is 1 all
// the same, and the row's scale lies between theirs, so that neither ratio is 1.
TEST(RowScales, AnEmptyFirstGroupLeavesTheRatiosOfTheOthers) {
  const Matrix<float> w(2, 4);
  Matrix<std::uint8_t> group(2, 4);
  group.values() = {1, 1, 2, 2, 1, 2, 1, 2};
  RowScales scales;
  scales.alpha = Matrix<float>(2, 3);
  scales.alpha.values() = {0, 3, 6, 0, 4.5F, 9};
  scales.alpha_col.assign(4, 1.0F);
  const std::vector<float> h(4, 1.0F);
  share_group_ratio({w.view(), group.view(), 3, h}, scales);
  EXPECT_EQ(scales.group_ratio[0], 1);
  EXPECT_NEAR(scales.group_ratio[2] / scales.group_ratio[1], 2, 1e-5);
  EXPECT_LT(scales.group_ratio[1], 1);
  EXPECT_GT(scales.group_ratio[2], 1);
  for (const std::size_t i : {0U, 1U}) {
    const float own = i == 0 ? 3.0F : 4.5F;
    EXPECT_NEAR(scales.alpha(i, 1), own, 1e-4);
    EXPECT_NEAR(scales.alpha(i, 2), 2 * own, 1e-4);
  }
}

TEST(RowScales, AnEmptyFirstGroupOfTwoLeavesRatiosOfOne) {
  const Matrix<float> w(2, 2);
  const Matrix<std::uint8_t> group(2, 2, std::uint8_t{1});
  RowScales scales;
  scales.alpha = Matrix<float>(2, 2);
  scales.alpha.values() = {0, 3, 0, 5};
  scales.alpha_col.assign(2, 1.0F);
  const std::vector<float> h(2, 1.0F);
  share_group_ratio({w.view(), group.view(), 2, h}, scales);
  EXPECT_THAT(scales.group_ratio, ElementsAre(1, 1));
  EXPECT_THAT(scales.alpha.values(), ElementsAre(3, 3, 5, 5));
}

TEST(RowScales, ImportanceDecidesWhichEntriesARowServes) {
  Matrix<float> w(1, 2);
  w.values() = {1, 3};
  const Matrix<std::uint8_t> group(1, 2);
  const std::vector<float> h = {0, 1};
  EXPECT_FLOAT_EQ(fit_row_scales({w.view(), group.view(), 1, h}, 0).alpha(0, 0), 3);
}

TEST(RowScales, ZerosAndEmptyGroupsGiveZeros) {
  const Matrix<float> w(3, 5);
  const Matrix<std::uint8_t> group(3, 5);
  const std::vector<float> h(5, 1.0F);
  const RowScales scales = fit_row_scales({w.view(), group.view(), 3, h}, 15);
  EXPECT_THAT(scales.alpha.values(), Each(0));
  EXPECT_THAT(scales.alpha_col, Each(1));
}

TEST(RowScales, SalientColumnsGetTwoPlanesAndNoColumnScale) {
  Matrix<float> w(1, 6);
  w.values() = {0.5F, 4, -2, 0.5F, -4, 2};  // columns 1, 2, 4, 5: 3 +- 1
  Matrix<std::uint8_t> group(1, 6, kSalientGroup);
  group(0, 0) = group(0, 3) = 0;
  const std::vector<float> h(6, 1.0F);
  const RowScales scales = fit_row_scales({w.view(), group.view(), 1, h}, 15);
  EXPECT_FLOAT_EQ(scales.salient_alpha(0, 0), 3);
  EXPECT_FLOAT_EQ(scales.salient_alpha(0, 1), 1);
  EXPECT_THAT(scales.alpha_col, Each(FloatNear(1, 1e-6F)));
}

TEST(RowScales, RefitForTheSignsOfTheFitChangesNothing) {
  const Matrix<float> w = test::normal_weights(20, 30, 1);
  const Matrix<std::uint8_t> group(20, 30);
  const std::vector<float> h(30, 1.0F);
  const RowProblem problem{w.view(), group.view(), 1, h};
  BitMatrix signs(20, 30);
  for (std::size_t i = 0; i < 20; ++i) {
    for (std::size_t j = 0; j < 30; ++j) {
      signs.set(i, j, w(i, j) >= 0);
    }
  }
  const RowScales fit = fit_row_scales(problem, 15);
  const RowScales refit = refit_row_scales(problem, signs, BitMatrix(20, 0), 15);
  EXPECT_EQ(fit.alpha, refit.alpha);
  EXPECT_EQ(fit.alpha_col, refit.alpha_col);
}

}  // namespace
}  // namespace btc
