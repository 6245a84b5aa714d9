/// Refitted scales of every backend: as the reference finds them, and the best there are.
#include "arb_session_case.hpp"

#include <gmock/gmock.h>

#include <cmath>
#include <utility>

namespace btc {
namespace {

using test::expect_close;
using test::random_groups;

class ArbRefitTest : public test::ArbSessionCase {};

TEST_P(ArbRefitTest, RefitEqualsTheReferenceAndLowersTheError) {
  open(100, 96, 61);
  Rng rng(62);
  const PanelGroups groups = random_groups(100, 96, 3, {3, 20, 50, 51, 80}, rng, 2);
  const PanelScales scales = session_->fit(w_.view(), groups, {FitRule::kArb, 2}).scales;
  EncodeRule rule;
  const PanelCode code = session_->encode({0, 96}, groups, scales, rule);
  const PanelScales refitted = session_->refit({0, 96}, groups, scales, code);
  const PanelScales expected = reference_session_->refit({0, 96}, groups, scales, code);
  expect_close(refitted.alpha, expected.alpha, 1e-5);
  expect_close(refitted.mu, expected.mu, 1e-5);
  expect_close(refitted.salient_alpha, expected.salient_alpha, 1e-5);
  const auto error = [&](const PanelScales& s) {
    Matrix<float> e = dequantize_panel(s, groups, code);
    for (std::size_t at = 0; at < e.size(); ++at) {
      e.values()[at] = w_.values()[at] - e.values()[at];
    }
    return session_->energy(e.view());
  };
  EXPECT_LT(error(refitted), error(scales));
}

/// |(W - Q) V|^2 with V = U_CC^-1 of the columns C of a panel, in fp64.
double refit_objective(const Matrix<float>& w, const Matrix<float>& q, const Matrix<float>& u,
                       Panel panel) {
  double sum = 0;
  for (std::size_t i = 0; i < w.rows(); ++i) {
    std::vector<double> left(panel.width());
    for (std::size_t j = 0; j < left.size(); ++j) {
      left[j] = static_cast<double>(w(i, j)) - static_cast<double>(q(i, j));
    }
    for (std::size_t l = 0; l < left.size(); ++l) {  // x U_CC = row
      const std::size_t at = panel.begin + l;
      const double x = left[l] / static_cast<double>(u(at, at));
      sum += x * x;
      for (std::size_t j = l + 1; j < left.size(); ++j) {
        left[j] -= x * static_cast<double>(u(at, panel.begin + j));
      }
    }
  }
  return sum;
}

/// Every scale that a refit may change, with one of its size: a mean counts as its group's alpha.
std::vector<std::pair<float*, float>> refitted_scales(PanelScales& scales) {
  std::vector<std::pair<float*, float>> all;
  for (float& alpha : scales.alpha.values()) {
    all.emplace_back(&alpha, alpha);
  }
  for (std::size_t e = 0; e < scales.mu.size(); ++e) {
    all.emplace_back(&scales.mu.values()[e], scales.alpha.values()[e]);
  }
  for (float& alpha : scales.salient_alpha.values()) {
    all.emplace_back(&alpha, alpha);
  }
  for (std::size_t e = 0; e < scales.salient_mu.size(); ++e) {
    all.emplace_back(&scales.salient_mu[e], scales.salient_alpha.values()[2 * e]);
  }
  return all;
}

// From scales that are a third too large, and means that are off, with and without column scales.
TEST_P(ArbRefitTest, NoScaleNearARefittedOneIsBetter) {
  constexpr Panel kPanel{16, 64};
  open(6, 80, 63);
  Rng rng(64);
  const Matrix<float> w = session_->weights(kPanel);
  const PanelGroups groups =
      random_groups(6, kPanel.width(), 2, {3, 8, 20, 21, 30, 33, 40, 45}, rng, 2);
  for (const FitRule rule : {FitRule::kArb, FitRule::kArbRc}) {
    PanelScales scales = session_->fit(w.view(), groups, {rule, 2}).scales;
    ASSERT_EQ(scales.mu.empty(), rule == FitRule::kArbRc);
    ASSERT_EQ(scales.alpha_col.empty(), rule == FitRule::kArb);
    const PanelCode code = nearest_signs(w.view(), groups, scales);
    for (const auto& [scale, size] : refitted_scales(scales)) {
      *scale += size / 3;
    }
    PanelScales refitted = session_->refit(kPanel, groups, scales, code);
    EXPECT_EQ(refitted.mu.empty(), scales.mu.empty());
    EXPECT_EQ(refitted.alpha_col, scales.alpha_col);
    const auto objective = [&] {
      return refit_objective(w, dequantize_panel(refitted, groups, code), u_, kPanel);
    };
    const double best = objective();
    std::size_t number = 0;
    for (const auto& [scale, size] : refitted_scales(refitted)) {
      const float own = *scale;
      for (const float share : {-0.01F, 0.01F}) {
        *scale = own + share * size;
        EXPECT_GE(objective(), best) << "scale " << number << " moved by " << share;
      }
      *scale = own;
      ++number;
    }
    EXPECT_EQ(number, rule == FitRule::kArb ? 6U * 10 : 6U * 6);
  }
}

TEST_P(ArbRefitTest, RefitKeepsScalesThatNothingDetermines) {
  open(4, 8, 71);
  PanelGroups groups;
  groups.count = 2;
  groups.group = Matrix<std::uint8_t>(4, 8);  // group 1 is empty
  PanelScales scales = session_->fit(w_.view(), groups, {FitRule::kArb, 2}).scales;
  scales.alpha(0, 1) = 7;
  PanelCode code = nearest_signs(w_.view(), groups, scales);
  for (std::size_t j = 0; j < 8; ++j) {
    code.signs.set(0, j, true);  // alpha and mu of this row cannot be told apart
  }
  const PanelScales refitted = session_->refit({0, 8}, groups, scales, code);
  EXPECT_EQ(refitted.alpha(0, 1), 7);
  for (const float alpha : refitted.alpha.values()) {
    EXPECT_TRUE(std::isfinite(alpha));
    EXPECT_LT(std::fabs(alpha), 8);
  }
}

BTC_FOR_ALL_BACKENDS(ArbRefitTest);

}  // namespace
}  // namespace btc
