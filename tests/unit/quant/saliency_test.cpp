/// The choice of salient columns against scores that are given by hand.
#include "quant/saliency.hpp"

#include <gmock/gmock.h>

#include <functional>
#include <numeric>

#include "common/error.hpp"

namespace btc {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

/// A session that answers with a given score for each count, and nothing else.
class GivenScores : public ArbSession {
 public:
  explicit GivenScores(std::function<double(std::size_t)> score_of_count)
      : score_of_count_(std::move(score_of_count)) {}

  std::vector<double> score_salient(Panel /*panel*/, std::span<const std::uint32_t> order,
                                    std::size_t max_count) override {
    order_.assign(order.begin(), order.end());
    std::vector<double> scores;
    for (std::size_t count = 1; count <= max_count; ++count) {
      scores.push_back(score_of_count_(count));
    }
    return scores;
  }
  [[nodiscard]] Matrix<float> weights(Panel /*panel*/) const override { refuse(); }
  std::vector<double> score_splits(Panel /*panel*/, const SplitState& /*state*/,
                                   MatrixView<const float> /*candidates*/) override {
    refuse();
  }
  PanelFit fit(MatrixView<const float> /*x*/, const PanelGroups& /*groups*/,
               const FitParams& /*params*/) override {
    refuse();
  }
  PanelCode encode(Panel /*panel*/, const PanelGroups& /*groups*/, const PanelScales& /*scales*/,
                   const EncodeRule& /*rule*/) override {
    refuse();
  }
  PanelScales refit(Panel /*panel*/, const PanelGroups& /*groups*/, const PanelScales& /*scales*/,
                    const PanelCode& /*code*/) override {
    refuse();
  }
  void compensate(Panel /*panel*/, MatrixView<const float> /*q*/, Compensation /*kind*/) override {
    refuse();
  }
  [[nodiscard]] double energy(MatrixView<const float> /*e*/) const override { refuse(); }
  [[nodiscard]] double energy_of_weights() const override { refuse(); }

  /// The ranking that was last scored; empty if none was.
  [[nodiscard]] const std::vector<std::uint32_t>& order() const { return order_; }

 private:
  [[noreturn]] static void refuse() { BTC_THROW(Error, "only scores are given"); }

  std::function<double(std::size_t)> score_of_count_;
  std::vector<std::uint32_t> order_;
};

BinarizeParams params_of(SalientRule rule, double fraction = 0.1) {
  BinarizeParams params;
  params.salient = rule;
  params.salient_fraction = fraction;
  return params;
}

/// One row whose entries grow to the right: the last column ranks first.
Matrix<float> growing(std::size_t cols) {
  Matrix<float> metric(1, cols);
  std::iota(metric.values().begin(), metric.values().end(), 1.0F);
  return metric;
}

/// Columns [begin, end).
std::vector<std::uint32_t> columns(std::uint32_t begin, std::uint32_t end) {
  std::vector<std::uint32_t> result(end - begin);
  std::iota(result.begin(), result.end(), begin);
  return result;
}

// w^2 / U_jj^2 with U_11 = 0.5 and U_22 = 2: 9 / 0.25, 4 / 4; 0.25 / 0.25, 16 / 4.
TEST(SaliencyMetric, IsWeightsSquaredOverTheFactorsDiagonalSquared) {
  Matrix<float> w(2, 2);
  w.values() = {3, -2, -0.5F, 4};
  Matrix<float> u(3, 3);
  u.values() = {8, 1,    1,  //
                0, 0.5F, 3,  //
                0, 0,    2};
  EXPECT_THAT(saliency_metric(w.view(), {1, 3}, u.view()).values(), ElementsAre(36, 1, 1, 4));
}

// Sums 3, 5, 5, 1, 5: the largest single entry, of column 0, does not count for more.
TEST(SalientColumns, RankByTheirSumTheLeftOneFirst) {
  Matrix<float> metric(2, 5);
  metric.values() = {3, 1, 2.5F, 0, 2,  //
                     0, 4, 2.5F, 1, 3};
  GivenScores session([](std::size_t count) { return count == 2 ? 0.0 : 1.0; });
  const auto found = find_salient_columns(session, {0, 5}, metric, params_of(SalientRule::kSearch));
  EXPECT_THAT(session.order(), ElementsAre(1, 2, 4, 0, 3));
  EXPECT_THAT(found, ElementsAre(1, 2));
}

TEST(SalientColumns, OfEqualScoresTheSmallerCountWins) {
  GivenScores session([](std::size_t count) { return count == 2 || count == 4 ? 0.5 : 1.0; });
  EXPECT_THAT(find_salient_columns(session, {0, 6}, growing(6), params_of(SalientRule::kSearch)),
              ElementsAre(4, 5));
}

TEST(SalientColumns, AreFortyNineAtMost) {
  GivenScores session([](std::size_t count) { return 100.0 - static_cast<double>(count); });
  const BinarizeParams params = params_of(SalientRule::kSearch);
  EXPECT_EQ(find_salient_columns(session, {0, 128}, growing(128), params), columns(79, 128));
  EXPECT_EQ(find_salient_columns(session, {0, 49}, growing(49), params), columns(0, 49));
  EXPECT_EQ(find_salient_columns(session, {0, 7}, growing(7), params), columns(0, 7))
      << "a narrow panel may become salient altogether";
}

TEST(SalientColumns, AFractionIsRoundedToTheNearestCount) {
  GivenScores session([](std::size_t) { return 0.0; });
  const BinarizeParams params = params_of(SalientRule::kFraction, 0.1);
  const auto found = [&](std::uint32_t width) {
    return find_salient_columns(session, {0, width}, growing(width), params);
  };
  EXPECT_EQ(found(128), columns(115, 128)) << "12.8 becomes 13";
  EXPECT_EQ(found(124), columns(112, 124)) << "12.4 becomes 12";
  EXPECT_THAT(found(4), IsEmpty()) << "0.4 becomes 0";
  EXPECT_THAT(session.order(), IsEmpty()) << "nothing is searched";
}

TEST(SalientColumns, NoneAreSearchedWhereNoneAreWanted) {
  GivenScores session([](std::size_t) { return 0.0; });
  EXPECT_THAT(find_salient_columns(session, {0, 60}, growing(60), params_of(SalientRule::kNone)),
              IsEmpty());
  EXPECT_THAT(session.order(), IsEmpty());
}

}  // namespace
}  // namespace btc
