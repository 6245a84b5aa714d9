#include "quant/split_points.hpp"

#include <gmock/gmock.h>

#include <algorithm>
#include <cmath>

#include "quant/saliency.hpp"
#include "unit/quant/problems.hpp"

namespace btc {
namespace {

using ::testing::Each;
using ::testing::ElementsAre;

BinarizeParams params_of(SplitRule rule, int splits, std::vector<double> shares = {}) {
  BinarizeParams params;
  params.split_rule = rule;
  params.split_points = splits;
  params.group_fractions = std::move(shares);
  return params;
}

std::vector<double> shares_of(const Matrix<std::uint8_t>& group, std::size_t count) {
  std::vector<double> share(count, 0.0);
  for (const auto g : group.values()) {
    share.at(g) += 1.0 / static_cast<double>(group.size());
  }
  return share;
}

TEST(MagnitudeThresholds, FractionPutsTheShareOfLargestRelativeWeightsOnTop) {
  Matrix<float> w = test::normal_weights(40, 100, 1);
  for (std::size_t j = 0; j < 100; ++j) {
    w(3, j) *= 50;  // a loud row gets no larger share
  }
  const Matrix<std::uint8_t> none(40, 100);
  const BinarizeParams params = params_of(SplitRule::kFraction, 2, {0.05, 0.2});
  const Matrix<float> thresholds = magnitude_thresholds(w.view(), none.view(), params);
  Matrix<std::uint8_t> group(40, 100);
  group_by_thresholds(w.view(), thresholds.view(), group.view());
  const auto share = shares_of(group, 3);
  EXPECT_NEAR(share[2], 0.05, 0.002);
  EXPECT_NEAR(share[1], 0.2, 0.002);
  EXPECT_LT(thresholds(0, 0), thresholds(0, 1));
}

// Lloyd-Max of |x| for a normal x with two levels: the threshold solves t = (m1 + m2) / 2.
TEST(MagnitudeThresholds, MagnitudeFindsTheLloydMaxThreshold) {
  const Matrix<float> w = test::normal_weights(300, 400, 2);
  const Matrix<std::uint8_t> none(300, 400);
  const Matrix<float> thresholds =
      magnitude_thresholds(w.view(), none.view(), params_of(SplitRule::kMagnitude, 1));
  double sum[2] = {0, 0};
  double count[2] = {0, 0};
  for (const float x : w.values()) {
    const bool upper = std::fabs(x) >= 0.9816F * 0.02F;
    sum[upper ? 1 : 0] += std::fabs(static_cast<double>(x));
    count[upper ? 1 : 0] += 1;
  }
  EXPECT_NEAR((sum[0] / count[0] + sum[1] / count[1]) / 2, 0.9816 * 0.02, 1e-4);
  double mean = 0;
  for (std::size_t i = 0; i < 300; ++i) {
    mean += static_cast<double>(thresholds(i, 0)) / 300;
  }
  EXPECT_NEAR(mean, 0.9816 * 0.02, 3e-4);
}

TEST(MagnitudeThresholds, ZeroRowsStayInTheLowestGroup) {
  const Matrix<float> w(3, 8);
  Matrix<std::uint8_t> group(3, 8);
  for (const auto& params :
       {params_of(SplitRule::kMagnitude, 2), params_of(SplitRule::kFraction, 1, {0.1})}) {
    const Matrix<float> thresholds = magnitude_thresholds(w.view(), group.view(), params);
    group_by_thresholds(w.view(), thresholds.view(), group.view());
    EXPECT_THAT(group.values(), Each(0));
  }
}

TEST(MagnitudeThresholds, SalientEntriesAreLeftOut) {
  Matrix<float> w(2, 4);
  w.values() = {1, 1, 2, 1000, 1, 1, 2, 1000};
  Matrix<std::uint8_t> group(2, 4);
  group(0, 3) = group(1, 3) = kSalientGroup;
  const auto params = params_of(SplitRule::kFraction, 1, {0.34});
  const Matrix<float> thresholds = magnitude_thresholds(w.view(), group.view(), params);
  EXPECT_FLOAT_EQ(thresholds(0, 0), 2);
  group_by_thresholds(w.view(), thresholds.view(), group.view());
  EXPECT_THAT(group.values(), ElementsAre(0, 0, 1, kSalientGroup, 0, 0, 1, kSalientGroup));
}

TEST(MagnitudeThresholds, PanelOfSalientColumnsOnlyHasNoGroups) {
  const Matrix<float> w = test::normal_weights(2, 4, 3);
  const Matrix<std::uint8_t> group(2, 4, kSalientGroup);
  for (const auto& params :
       {params_of(SplitRule::kMagnitude, 3), params_of(SplitRule::kFraction, 1, {0.1})}) {
    EXPECT_EQ(magnitude_thresholds(w.view(), group.view(), params).size(),
              2U * static_cast<std::size_t>(params.split_points));
  }
}

class MetricSplit : public ::testing::TestWithParam<int> {
 protected:
  std::unique_ptr<Backend> backend_ = make_reference_backend();
};

TEST_P(MetricSplit, GroupsAreOrderedByTheMetric) {
  const Panel panel{0, 60};
  const Matrix<float> w = test::normal_weights(30, 60, 4);
  const HessianFactor factor = test::ar1_factor(60, 0.5, *backend_);
  const auto session = backend_->open_arb(w.view(), factor.u.view());
  const Matrix<float> metric = saliency_metric(w.view(), panel, factor.u.view());
  for (const SplitRule rule : {SplitRule::kSearch, SplitRule::kRatio2}) {
    PanelGroups groups = ungrouped(30, 60, {2, 5});
    split_by_metric(*session, panel, metric, params_of(rule, GetParam()), groups);
    EXPECT_EQ(groups.count, static_cast<std::size_t>(GetParam()) + 1);
    std::vector<float> low(groups.count, INFINITY);
    std::vector<float> high(groups.count, 0);
    for (std::size_t i = 0; i < 30; ++i) {
      for (std::size_t j = 0; j < 60; ++j) {
        const auto g = groups.group(i, j);
        EXPECT_EQ(g == kSalientGroup, j == 2 || j == 5);
        if (g != kSalientGroup) {
          low.at(g) = std::min(low.at(g), metric(i, j));
          high.at(g) = std::max(high.at(g), metric(i, j));
        }
      }
    }
    for (std::size_t g = 0; g + 1 < groups.count; ++g) {
      EXPECT_LT(high[g], low[g + 1]);
    }
    if (rule == SplitRule::kRatio2 && groups.count == 3) {
      EXPECT_GE(low[2] / low[1], 1.5F);
    }
  }
}

TEST_P(MetricSplit, SalientEntriesAreGroupedByTheMetricAsWell) {
  const Panel panel{0, 60};
  const Matrix<float> w = test::normal_weights(30, 60, 5);
  const HessianFactor factor = test::ar1_factor(60, 0.5, *backend_);
  const auto session = backend_->open_arb(w.view(), factor.u.view());
  const Matrix<float> metric = saliency_metric(w.view(), panel, factor.u.view());
  BinarizeParams params = params_of(SplitRule::kSearch, GetParam());
  PanelGroups without = ungrouped(30, 60, {2, 5, 9, 40});
  split_by_metric(*session, panel, metric, params, without);
  params.salient_groups = true;
  PanelGroups groups = ungrouped(30, 60, {2, 5, 9, 40});
  split_by_metric(*session, panel, metric, params, groups);
  EXPECT_EQ(groups.salient_count, groups.count);
  std::vector<float> low(groups.count, INFINITY);
  std::vector<float> high(groups.count, 0);
  for (std::size_t e = 0; e < metric.size(); ++e) {
    const std::uint8_t g = groups.group.values()[e];
    ASSERT_EQ(is_salient(g), is_salient(without.group.values()[e]));
    if (!is_salient(g)) {
      EXPECT_EQ(g, without.group.values()[e]) << "the others are split as before";
      continue;
    }
    low.at(salient_group(g)) = std::min(low.at(salient_group(g)), metric.values()[e]);
    high.at(salient_group(g)) = std::max(high.at(salient_group(g)), metric.values()[e]);
  }
  for (std::size_t g = 0; g + 1 < groups.count; ++g) {
    EXPECT_LT(high[g], low[g + 1]);
  }
}

INSTANTIATE_TEST_SUITE_P(Splits, MetricSplit, ::testing::Values(1, 2, 3));

TEST(RestoreShares, FollowsWeightsThatHaveGrown) {
  Rng rng(8);
  Matrix<float> w(40, 50);
  for (float& value : w.values()) {
    value = static_cast<float>(rng.normal());
  }
  Matrix<std::uint8_t> groups(40, 50);
  for (std::size_t i = 0; i < 40; ++i) {
    groups(i, 7) = kSalientGroup;
  }
  const BinarizeParams params = {
      .split_points = 2, .split_rule = SplitRule::kFraction, .group_fractions = {0.05, 0.2}};
  Matrix<float> thresholds = magnitude_thresholds(w.view(), groups.view(), params);
  for (std::size_t e = 0; e < w.size(); ++e) {
    w.values()[e] *= e % 3 == 0 ? 2.0F : 1.5F;
  }
  const auto shares = [&] {
    group_by_thresholds(w.view(), thresholds.view(), groups.view());
    std::array<double, 3> counts{};
    for (const std::uint8_t g : groups.values()) {
      if (g != kSalientGroup) {
        counts.at(g) += 1.0 / (40 * 49);
      }
    }
    return counts;
  };
  EXPECT_GT(shares()[2], 0.15);
  const Matrix<float> before = thresholds;
  restore_shares(w.view(), groups.view(), params, thresholds.view());
  EXPECT_NEAR(shares()[2], 0.05, 1e-3);
  EXPECT_NEAR(shares()[1], 0.2, 1e-3);
  EXPECT_FLOAT_EQ(thresholds(3, 1) / before(3, 1), thresholds(9, 1) / before(9, 1));
  EXPECT_GT(groups(0, 7), 2) << "salient entries keep their mark";
}

}  // namespace
}  // namespace btc
