/// Decoding of whole rows against the formula of one entry.
#include "backend/panel.hpp"

#include <gmock/gmock.h>

#include <algorithm>

#include "backend/entry.hpp"
#include "common/rng.hpp"
#include "support/random_groups.hpp"
#include "support/random_matrix.hpp"

namespace btc {
namespace {

constexpr std::size_t kRows = 9;
constexpr std::size_t kCols = 37;
constexpr std::size_t kGroups = 3;
constexpr std::size_t kSalientGroups = 2;

struct RandomPanel {
  PanelGroups groups;
  PanelScales scales;
  PanelCode code;
};

void flip_coins(BitMatrix& bits, Rng& rng) {
  for (std::size_t i = 0; i < bits.rows(); ++i) {
    for (std::size_t j = 0; j < bits.cols(); ++j) {
      bits.set(i, j, rng.below(2) == 1);
    }
  }
}

RandomPanel random_panel(Rng& rng) {
  RandomPanel panel;
  panel.groups = test::random_groups(kRows, kCols, kGroups, {0, 7, 8, 36}, rng, kSalientGroups);
  panel.scales.alpha = test::random_matrix(kRows, kGroups, rng, 1);
  panel.scales.mu = test::random_matrix(kRows, kGroups, rng, 1);
  panel.scales.salient_alpha = test::random_matrix(kRows, 2 * kSalientGroups, rng, 1);
  panel.scales.salient_mu = test::random_matrix(kRows, kSalientGroups, rng, 1).values();
  panel.code.group = panel.groups.group;
  panel.code.signs = BitMatrix(kRows, kCols);
  panel.code.residual = BitMatrix(kRows, panel.groups.salient.size());
  flip_coins(panel.code.signs, rng);
  flip_coins(panel.code.residual, rng);
  return panel;
}

float by_the_formula(const RandomPanel& panel, std::size_t i, std::size_t j) {
  const PanelScalesView scales = panel.scales.view();
  const std::uint8_t g = panel.code.group(i, j);
  const bool sign = panel.code.signs.get(i, j);
  if (!is_salient(g)) {
    return entry_value(entry_scale(scales, i, g, j, kCols), sign);
  }
  const auto& salient = panel.groups.salient;
  const auto rank =
      static_cast<std::size_t>(std::find(salient.begin(), salient.end(), j) - salient.begin());
  return salient_value(salient_scale(scales, i, salient_group(g), rank), sign,
                       panel.code.residual.get(i, rank));
}

void expect_formula(const RandomPanel& panel) {
  const Matrix<float> q = dequantize_panel(panel.scales, panel.groups, panel.code);
  for (std::size_t i = 0; i < kRows; ++i) {
    for (std::size_t j = 0; j < kCols; ++j) {
      ASSERT_EQ(q(i, j), by_the_formula(panel, i, j)) << i << ", " << j;
    }
  }
}

TEST(DequantizePanel, IsTheFormulaEntryByEntry) {
  Rng rng(3);
  expect_formula(random_panel(rng));
}

TEST(DequantizePanel, MeansMayBeAbsent) {
  Rng rng(4);
  RandomPanel panel = random_panel(rng);
  panel.scales.mu = {};
  panel.scales.salient_mu.clear();
  expect_formula(panel);
}

TEST(DequantizePanel, ColumnScalesAreSharedOrOfEachGroup) {
  Rng rng(5);
  RandomPanel panel = random_panel(rng);
  const std::size_t planes = 2 * kSalientGroups;
  panel.scales.salient_alpha_col =
      test::random_matrix(planes, panel.groups.salient.size(), rng, 1).values();
  panel.scales.alpha_col = test::random_matrix(1, kCols, rng, 1).values();
  expect_formula(panel);
  panel.scales.alpha_col = test::random_matrix(kGroups, kCols, rng, 1).values();
  expect_formula(panel);
}

TEST(DequantizePanel, EverySalientEntryHasARank) {
  Rng rng(6);
  RandomPanel panel = random_panel(rng);
  panel.code.group(2, 5) = kSalientGroup;
  EXPECT_THROW(dequantize_panel(panel.scales, panel.groups, panel.code), Error);
}

}  // namespace
}  // namespace btc
