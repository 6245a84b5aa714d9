/// The papers' fits against cases that are computed by hand.
#include "backend/row_fit.hpp"

#include <gmock/gmock.h>

#include <array>

#include "backend/row_column_fit.hpp"

namespace btc {
namespace {

using ::testing::ElementsAre;

/// The sums of the published code carry 1e-8 or 1e-10.
constexpr double kTolerance = 1e-7;

const std::vector<float> kEntries = {0, 1, 5};

// mu = 2, |x - mu| = (2, 1, 3), so alpha = 2 and B = (-,-,+). What is left, (0, 1, 1), has the mean
// 2/3 and the distances (2/3, 1/3, 1/3), so residual alpha = 4/9 and R = (-,+,+); mu = 2 + 2/3.
TEST(PlainFit, TakesTwoPlanesOneAfterTheOther) {
  const RowFit one = fit_plain(kEntries, 1);
  EXPECT_NEAR(one.mu, 2, kTolerance);
  EXPECT_NEAR(one.alpha, 2, kTolerance);
  EXPECT_THAT(one.sign, ElementsAre(-1, -1, 1));
  EXPECT_THAT(one.residual, ::testing::IsEmpty());
  const RowFit two = fit_plain(kEntries, 2);
  EXPECT_NEAR(two.mu, 8.0 / 3, kTolerance);
  EXPECT_NEAR(two.alpha, 2, kTolerance);
  EXPECT_NEAR(two.residual_alpha, 4.0 / 9, kTolerance);
  EXPECT_THAT(two.sign, ElementsAre(-1, -1, 1));
  EXPECT_THAT(two.residual, ElementsAre(-1, 1, 1));
}

// One sweep from there. x - q = (-2/9, -1/9, -1/9), mean -4/27: mu = 72/27 - 4/27 = 68/27 = 204/81.
// B (x - mu - 4/9 R) = (56, 53, 55)/27, mean 164/81 = alpha; R (x - mu - alpha B) = (40, 41,
// 37)/81, mean 118/243 = residual alpha. x - mu = (-612, -369, 603)/243 is nearest to -610, -374
// and 610, which are (-,-), (-,+) and (+,+): the signs stay.
TEST(AlternatingFit, FollowsASweepOfBothPlanesByHand) {
  const RowFit fit = fit_alternating(kEntries, 2, 1);
  EXPECT_NEAR(fit.mu, 68.0 / 27, kTolerance);
  EXPECT_NEAR(fit.alpha, 164.0 / 81, kTolerance);
  EXPECT_NEAR(fit.residual_alpha, 118.0 / 243, kTolerance);
  EXPECT_THAT(fit.sign, ElementsAre(-1, -1, 1));
  EXPECT_THAT(fit.residual, ElementsAre(-1, 1, 1));
}

/// S of a panel of four columns, of which the entries have all but the second.
class FitInMetric : public ::testing::Test {
 protected:
  FitInMetric() {
    gram_.values() = {1, 9, 0, 0,  //
                      9, 9, 9, 9,  //
                      0, 9, 3, 1,  //
                      0, 9, 1, 1};
  }
  [[nodiscard]] RowFit fit(int planes, int iterations) const {
    return fit_in_metric(kEntries, columns_, gram_.view(), planes, iterations);
  }
  const std::vector<std::uint32_t> columns_ = {0, 2, 3};
  Matrix<float> gram_{4, 4};
};

// S 1 = (1, 4, 2), S B = (-1, -2, 0), so 1'S1 = 7, 1'SB = -3, B'SB = 3, x'S1 = 14, x'SB = -2.
// One sweep of the start gives alpha = 20/9, then ARB-LLM eq. 11: mu = (14 + 3 alpha) / 7 = 62/21,
// alpha = (-2 + 3 mu) / 3 = 16/7. The sweeps end where 7 mu - 3 alpha = 14 and -3 mu + 3 alpha =
// -2: mu = 3, alpha = 7/3. (The metric of the weights alone leads to mu = 2.75, alpha = 2.25.)
TEST_F(FitInMetric, FollowsItsEquationsByHand) {
  const RowFit one = fit(1, 1);
  EXPECT_NEAR(one.mu, 62.0 / 21, kTolerance);
  EXPECT_NEAR(one.alpha, 16.0 / 7, kTolerance);
  EXPECT_EQ(one.residual_alpha, 0);
  const RowFit many = fit(1, 200);
  EXPECT_NEAR(many.mu, 3, kTolerance);
  EXPECT_NEAR(many.alpha, 7.0 / 3, kTolerance);
  EXPECT_THAT(many.sign, ElementsAre(-1, -1, 1)) << "signs stay those of the alternating fit";
}

// The start is the sweep of two planes above. S R = (-1, 4, 2), so 1'SR = 5, B'SR = -1, R'SR = 7,
// x'SR = 14. mu = (14 + 3 * 164/81 - 5 * 118/243) / 7 = 4288/1701;
// alpha = (-2 + 3 mu + 118/243) / 3 = 10288/5103; residual alpha = (14 - 5 mu + alpha) / 7
// = 17410/35721. The sweeps end where all three entries are met: mu = 5/2, alpha = 2, 1/2.
TEST_F(FitInMetric, FollowsItsEquationsOfTwoPlanesByHand) {
  const RowFit one = fit(2, 1);
  EXPECT_NEAR(one.mu, 4288.0 / 1701, kTolerance);
  EXPECT_NEAR(one.alpha, 10288.0 / 5103, kTolerance);
  EXPECT_NEAR(one.residual_alpha, 17410.0 / 35721, kTolerance);
  const RowFit many = fit(2, 500);
  EXPECT_NEAR(many.mu, 2.5, kTolerance);
  EXPECT_NEAR(many.alpha, 2, kTolerance);
  EXPECT_NEAR(many.residual_alpha, 0.5, kTolerance);
}

class RowColumnFitByHand : public ::testing::Test {
 protected:
  RowColumnFitByHand() { x_.values() = {1, 2, 2, -2}; }
  [[nodiscard]] RowColumnFit fit(int planes, int iterations) const {
    return fit_row_column(x_.view(), Matrix<std::uint8_t>(2, 2, std::uint8_t{1}), planes,
                          iterations);
  }
  static void expect_scales(const RowColumnFit& fit, std::size_t plane, std::array<double, 2> row,
                            std::array<double, 2> column) {
    for (const std::size_t i : {0U, 1U}) {
      EXPECT_NEAR(fit.row(i, plane), row.at(i), kTolerance) << "row " << i << ", plane " << plane;
      EXPECT_NEAR(fit.column(plane, i), column.at(i), kTolerance)
          << "column " << i << ", plane " << plane;
    }
  }
  Matrix<float> x_{2, 2};
};

// ARB-LLM eq. 12: rows (3/2, 2), columns (2/3 + 2/2, 4/3 + 2/2) / 2 = (5/6, 7/6), whose mean is 1.
TEST_F(RowColumnFitByHand, StartsWithMeans) {
  const RowColumnFit start = fit(1, 0);
  expect_scales(start, 0, {1.5, 2}, {5.0 / 6, 7.0 / 6});
  EXPECT_THAT(start.sign[0].values(), ElementsAre(1, 1, 1, -1));
}

// ARB-LLM eq. 13: rows (5 + 14, 10 + 14) / 6 / (74 / 36) = (19, 24) * 6/74, then columns
// (19 + 2 * 24, 2 * 19 + 2 * 24) / (19^2 + 24^2) * 74/6 = (67, 86) / 937 * 74/6. Their mean,
// 153/1874 * 74/6, goes to the rows.
TEST_F(RowColumnFitByHand, ThenTakesLeastSquaresOfRowsAndColumnsInTurn) {
  const double mean = 153.0 / 1874;
  expect_scales(fit(1, 1), 0, {19 * mean, 24 * mean}, {134.0 / 153, 172.0 / 153});
}

// Of (1, 2, .; 2, ., .) rows start as (3/2, 2), columns as (2/3 + 2/2) / 2 = 5/6 and 4/3. Then rows
// (5/6 + 8/3) / (25/36 + 64/36) = 126/89 and 2 * 5/6 / (25/36) = 12/5; columns
// (126/89 + 24/5) / ((126/89)^2 + (12/5)^2) and 2 / (126/89); their mean goes to the rows.
TEST_F(RowColumnFitByHand, EntriesOutsideTheMaskPlayNoPart) {
  Matrix<float> x(2, 3);
  x.values() = {1, 2, 7, 2, 9, -7};
  Matrix<std::uint8_t> mask(2, 3);
  mask.values() = {1, 1, 0, 1, 0, 0};
  const RowColumnFit one = fit_row_column(x.view(), mask, 1, 1);
  const double top = 126.0 / 89;
  const double bottom = 12.0 / 5;
  const double left = (top + 2 * bottom) / (top * top + bottom * bottom);
  const double right = 2 / top;
  const double mean = (left + right) / 2;
  expect_scales(one, 0, {top * mean, bottom * mean}, {left / mean, right / mean});
  EXPECT_EQ(one.column(0, 2), 1) << "a column without entries";
}

// The first plane as above leaves (1 - 5/4, 2 - 7/4; 2 - 5/3, -2 + 7/3) = (-1/4, 1/4; 1/3, 1/3):
// rows (1/4, 1/3), columns (1, 1). That meets all entries, and sweeps of both planes keep it.
TEST_F(RowColumnFitByHand, TakesASecondPlaneOfWhatIsLeft) {
  for (const int iterations : {0, 1, 3}) {
    const RowColumnFit two = fit(2, iterations);
    expect_scales(two, 0, {1.5, 2}, {5.0 / 6, 7.0 / 6});
    expect_scales(two, 1, {0.25, 1.0 / 3}, {1, 1});
    EXPECT_THAT(two.sign[0].values(), ElementsAre(1, 1, 1, -1));
    EXPECT_THAT(two.sign[1].values(), ElementsAre(-1, 1, 1, 1));
  }
}

}  // namespace
}  // namespace btc
