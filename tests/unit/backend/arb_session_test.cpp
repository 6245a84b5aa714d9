/// Every backend against hand-made cases and against the reference: integers equal, floats within
/// the tolerance that stands beside them.
#include "arb_session_case.hpp"

#include <gmock/gmock.h>

#include <cmath>
#include <numeric>
#include <utility>

#include "backend/entry.hpp"

namespace btc {
namespace {

using test::expect_close;
using test::expect_equal;
using test::kDeviation;
using test::largest;
using test::random_factor;
using test::random_groups;
using test::random_matrix;
using ::testing::ElementsAre;
using ::testing::FloatEq;

class ArbSessionTest : public test::ArbSessionCase {};

TEST_P(ArbSessionTest, EveryRuleFitsAsTheReferenceDoes) {
  open(70, 40, 21);
  Rng rng(22);
  const PanelGroups groups = random_groups(70, 40, 3, {3, 17, 30}, rng);
  const Matrix<float> gram = random_matrix(40, 40, rng, kDeviation);
  for (const FitParams& params :
       {FitParams{FitRule::kPlain},
        FitParams{FitRule::kArbX, 15, FitSolver::kIterative, gram.view()},
        FitParams{FitRule::kArbRc, 3}, FitParams{FitRule::kArb, 15, FitSolver::kExact}}) {
    const PanelFit fit = session_->fit(w_.view(), groups, params);
    const PanelFit expected = reference_session_->fit(w_.view(), groups, params);
    EXPECT_EQ(fit.scales.alpha, expected.scales.alpha);
    EXPECT_EQ(fit.scales.salient_alpha, expected.scales.salient_alpha);
    EXPECT_EQ(fit.scales.alpha_col, expected.scales.alpha_col);
    EXPECT_EQ(fit.scales.salient_alpha_col, expected.scales.salient_alpha_col);
    expect_equal(fit.code, expected.code);
  }
}

TEST_P(ArbSessionTest, FitOfTwoLevelsIsExact) {
  Matrix<float> x(2, 4);
  x.values() = {5, 1, 5, 1, -2, -2, -2, -2};
  Matrix<float> u(4, 4);
  for (std::size_t j = 0; j < 4; ++j) {
    u(j, j) = 1;
  }
  const auto session = backend_->open_arb(x.view(), u.view());
  PanelGroups groups;
  groups.group = Matrix<std::uint8_t>(2, 4);
  const PanelScales scales = session->fit(x.view(), groups, {FitRule::kArb, 15}).scales;
  EXPECT_THAT(scales.alpha.values(), ElementsAre(FloatEq(2), FloatEq(0)));
  EXPECT_THAT(scales.mu.values(), ElementsAre(FloatEq(3), FloatEq(-2)));
  const PanelCode code = nearest_signs(x.view(), groups, scales);
  EXPECT_EQ(dequantize_panel(scales, groups, code), x);
  EXPECT_TRUE(code.signs.get(1, 0)) << "sign(0) = +1";
}

// One sweep from x = (0, 1, 5): mu = 2, alpha = 2, B = (-,-,+). mu += mean(x - q) = 2/3; then
// alpha = sum B (x - mu) / 3 = (8/3 + 5/3 + 7/3) / 3 = 20/9.
TEST_P(ArbSessionTest, FitFollowsTheSweepByHand) {
  Matrix<float> x(1, 3);
  x.values() = {0, 1, 5};
  Matrix<float> u(3, 3);
  const auto session = backend_->open_arb(x.view(), u.view());
  PanelGroups groups;
  groups.group = Matrix<std::uint8_t>(1, 3);
  const PanelScales start = session->fit(x.view(), groups, {FitRule::kArb, 0}).scales;
  EXPECT_FLOAT_EQ(start.mu(0, 0), 2);
  EXPECT_FLOAT_EQ(start.alpha(0, 0), 2);
  const PanelScales one = session->fit(x.view(), groups, {FitRule::kArb, 1}).scales;
  EXPECT_FLOAT_EQ(one.mu(0, 0), 8.0F / 3);
  EXPECT_FLOAT_EQ(one.alpha(0, 0), 20.0F / 9);
}

TEST_P(ArbSessionTest, FitOfEmptyGroupsIsZero) {
  Rng rng(3);
  Matrix<float> x = random_matrix(5, 6, rng, kDeviation);
  Matrix<float> u(6, 6);
  const auto session = backend_->open_arb(x.view(), u.view());
  const PanelGroups groups = random_groups(5, 6, 2, {0, 1, 2, 3, 4, 5}, rng);
  const PanelScales scales = session->fit(x.view(), groups, {FitRule::kArb, 15}).scales;
  EXPECT_EQ(scales.alpha, Matrix<float>(5, 2));
  EXPECT_EQ(scales.mu, Matrix<float>(5, 2));
  EXPECT_GT(largest(scales.salient_alpha), 0);
}

// First order: fp32 results of double sums in another order, equal but for a last-bit rounding.
TEST_P(ArbSessionTest, FitEqualsTheReference) {
  for (const int iterations : {0, 1, 15}) {
    open(150, 128, 5);
    Rng rng(6);
    const PanelGroups groups = random_groups(150, 128, 3, {1, 5, 9, 70, 127}, rng, 2);
    const FitParams params{FitRule::kArb, iterations};
    const PanelScales scales = session_->fit(w_.view(), groups, params).scales;
    const PanelScales expected = reference_session_->fit(w_.view(), groups, params).scales;
    expect_close(scales.alpha, expected.alpha, 1e-6);
    expect_close(scales.mu, expected.mu, 1e-6);
    EXPECT_EQ(scales.salient_alpha, expected.salient_alpha);
    EXPECT_EQ(scales.salient_mu, expected.salient_mu);
  }
}

TEST_P(ArbSessionTest, FitOfTheWeightsIsThatOfTheirValues) {
  open(150, 70, 7);
  Rng rng(8);
  const Panel panel{20, 64};
  session_->compensate({0, 20}, random_matrix(150, 20, rng, kDeviation).view(),
                       Compensation::kBlock);
  const Matrix<float> gram = random_matrix(44, 44, rng, kDeviation);
  const PanelGroups groups = random_groups(150, 44, 3, {2, 3, 40}, rng);
  for (const FitParams& params :
       {FitParams{FitRule::kArb, 15}, FitParams{FitRule::kArb, 15, FitSolver::kExact},
        FitParams{FitRule::kPlain}, FitParams{FitRule::kArbRc, 3},
        FitParams{FitRule::kArbX, 15, FitSolver::kIterative, gram.view()}}) {
    const PanelFit fit = session_->fit_weights(panel, groups, params);
    const PanelFit expected = session_->fit(session_->weights(panel).view(), groups, params);
    EXPECT_EQ(fit.scales.alpha, expected.scales.alpha);
    EXPECT_EQ(fit.scales.mu, expected.scales.mu);
    EXPECT_EQ(fit.scales.salient_alpha, expected.scales.salient_alpha);
    EXPECT_EQ(fit.scales.salient_mu, expected.scales.salient_mu);
    EXPECT_EQ(fit.scales.alpha_col, expected.scales.alpha_col);
    expect_equal(fit.code, expected.code);
  }
}

// With so few entries the first plane leaves rounding noise, and the sign of that decides.
TEST_P(ArbSessionTest, FitOfFewSalientEntriesHasTheBitsOfTheReference) {
  for (std::uint32_t count = 1; count <= 6; ++count) {
    open(300, 16, count);
    Rng rng(count);
    std::vector<std::uint32_t> salient(count);
    std::iota(salient.begin(), salient.end(), 2U);
    const PanelGroups groups = random_groups(300, 16, 2, salient, rng);
    const FitParams params{FitRule::kArb, 15};
    const PanelScales scales = session_->fit(w_.view(), groups, params).scales;
    const PanelScales expected = reference_session_->fit(w_.view(), groups, params).scales;
    EXPECT_EQ(scales.salient_alpha, expected.salient_alpha) << count;
    EXPECT_EQ(scales.salient_mu, expected.salient_mu) << count;
  }
}

TEST_P(ArbSessionTest, MoreSweepsNeverRaiseTheError) {
  open(40, 64, 8);
  PanelGroups groups;
  groups.group = Matrix<std::uint8_t>(40, 64);
  double last = INFINITY;
  for (int iterations = 0; iterations < 20; ++iterations) {
    const PanelScales scales = session_->fit(w_.view(), groups, {FitRule::kArb, iterations}).scales;
    const Matrix<float> q =
        dequantize_panel(scales, groups, nearest_signs(w_.view(), groups, scales));
    double error = 0;
    for (std::size_t e = 0; e < q.size(); ++e) {
      error += std::pow(static_cast<double>(w_.values()[e] - q.values()[e]), 2);
    }
    EXPECT_LE(error, last * (1 + 1e-6)) << iterations << " sweeps";
    last = error;
  }
}

// Sums of squares in another order; 1e-9 leaves room for cancellation against the sums of S^2.
TEST_P(ArbSessionTest, ScoresEqualTheReference) {
  open(130, 200, 11);
  for (const Panel panel : {Panel{0, 128}, Panel{128, 200}, Panel{195, 200}}) {
    std::vector<std::uint32_t> order(panel.width());
    for (std::size_t j = 0; j < order.size(); ++j) {
      order[j] = static_cast<std::uint32_t>((j * 37 + 11) % order.size());
    }
    if (panel.width() == 5) {
      order = {4, 2, 0, 1, 3};
    }
    const std::size_t most = std::min<std::size_t>(49, panel.width());
    expect_close(session_->score_salient(panel, order, most),
                 reference_session_->score_salient(panel, order, most), 1e-9);
    Rng rng(2);
    SplitState state{Matrix<std::uint8_t>(130, panel.width()),
                     random_matrix(130, panel.width(), rng, kDeviation)};
    for (auto& flag : state.available.values()) {
      flag = rng.uniform() < 0.8 ? 1 : 0;
    }
    for (const std::size_t splits : {1U, 2U, 3U}) {
      Matrix<float> candidates(20, splits);
      for (std::size_t c = 0; c < 20; ++c) {
        for (std::size_t s = 0; s < splits; ++s) {
          candidates(c, s) = static_cast<float>(5e-5 * static_cast<double>(c) * std::exp2(s));
        }
      }
      expect_close(session_->score_splits(panel, state, candidates.view()),
                   reference_session_->score_splits(panel, state, candidates.view()), 1e-9);
    }
  }
}

struct EncodeCase {
  std::size_t chunk;
  Compensation compensation;
  bool codewords;
  Assignment assignment;
  Grouping grouping;
  bool column_scales;
};

TEST_P(ArbSessionTest, EncodeEqualsTheReferenceBitForBit) {
  const std::vector<EncodeCase> cases = {
      {1, Compensation::kSequential, false, Assignment::kWeighted, Grouping::kGiven, false},
      {7, Compensation::kSequential, false, Assignment::kWeighted, Grouping::kThresholds, false},
      {16, Compensation::kNone, false, Assignment::kWeighted, Grouping::kGiven, true},
      {10, Compensation::kSequential, true, Assignment::kWeighted, Grouping::kThresholds, true},
      {10, Compensation::kSequential, true, Assignment::kWeighted, Grouping::kNearest, false},
      {4, Compensation::kSequential, false, Assignment::kWeighted, Grouping::kNearest, true},
      {10, Compensation::kSequential, true, Assignment::kHamming, Grouping::kGiven, false},
      {10, Compensation::kSequential, true, Assignment::kHamming, Grouping::kThresholds, false},
      {10, Compensation::kBlock, true, Assignment::kWeighted, Grouping::kGiven, false},
  };
  open(150, 230, 21);
  Rng rng(22);
  std::vector<Pattern> codewords;
  codewords.reserve(60);
  for (int c = 0; c < 60; ++c) {
    codewords.push_back(static_cast<Pattern>(rng.below(1024)));
  }
  const auto search = backend_->open_codewords(codewords, 10);
  const auto reference_search = reference_->open_codewords(codewords, 10);
  for (const EncodeCase& c : cases) {
    for (const Panel panel : {Panel{0, 120}, Panel{120, 230}, Panel{220, 223}}) {
      SCOPED_TRACE(concat("chunk ", c.chunk, ", codewords ", c.codewords, ", columns ", panel.begin,
                          "..", panel.end));
      const std::size_t k = panel.width();
      const PanelGroups groups =
          random_groups(150, k, 3, {0, 1}, rng, c.grouping == Grouping::kGiven ? 2 : 1);
      PanelScales scales =
          reference_session_
              ->fit(reference_session_->weights(panel).view(), groups, {FitRule::kArb, 3})
              .scales;
      if (c.column_scales) {
        scales.mu = {};
        scales.salient_mu.clear();
        scales.alpha_col.assign(k, 1.25F);
        scales.alpha_col[0] = scales.alpha_col[1] = 1;
      }
      const bool cut = c.grouping == Grouping::kThresholds;
      Matrix<float> thresholds(cut ? 150 : 0, cut ? 2 : 0);
      for (std::size_t i = 0; i < thresholds.rows(); ++i) {
        thresholds(i, 0) = 0.01F;
        thresholds(i, 1) = 0.03F;
      }
      EncodeRule rule{c.chunk,      c.compensation, nullptr,
                      c.assignment, c.grouping,     thresholds.view()};
      rule.codewords = c.codewords ? reference_search.get() : nullptr;
      const PanelCode expected = reference_session_->encode(panel, groups, scales, rule);
      rule.codewords = c.codewords ? search.get() : nullptr;
      expect_equal(session_->encode(panel, groups, scales, rule), expected);
    }
  }
}

TEST_P(ArbSessionTest, EncodeLeavesOutTargetsThatNobodyWants) {
  open(40, 30, 31);
  Rng rng(32);
  const PanelGroups groups = random_groups(40, 30, 2, {4}, rng);
  const PanelScales scales = session_->fit(w_.view(), groups, {FitRule::kArb, 3}).scales;
  EncodeRule rule;
  rule.chunk = 8;
  PanelCode expected = session_->encode({0, 30}, groups, scales, rule);
  EXPECT_EQ(expected.target.rows(), 40U);
  expected.target = {};
  rule.keep_target = false;
  expect_equal(session_->encode({0, 30}, groups, scales, rule), expected);
}

// The codewords are opened by one thread and read by all at once.
TEST_P(ArbSessionTest, SessionsAtOnceGiveWhatOneGivesAlone) {
  open(200, 128, 41);
  Rng rng(42);
  std::vector<Pattern> codewords(300);
  for (Pattern& word : codewords) {
    word = static_cast<Pattern>(rng.below(1U << 16U));
  }
  const PanelGroups groups = random_groups(200, 64, 3, {1, 9}, rng);
  const auto reference_search = reference_->open_codewords(codewords, 16);
  const auto run = [&](ArbSession& session, const CodewordSearch& search) {
    EncodeRule rule;
    rule.codewords = &search;
    const PanelScales scales = session.fit_weights({0, 64}, groups, {FitRule::kArb, 15}).scales;
    const PanelCode code = session.encode({0, 64}, groups, scales, rule);
    session.compensate({0, 64}, dequantize_panel(scales, groups, code).view(),
                       Compensation::kExact);
    return session.encode({64, 128}, groups, scales, rule);
  };
  const PanelCode expected = run(*reference_session_, *reference_search);
  const auto search = backend_->open_codewords(codewords, 16);
  std::vector<PanelCode> codes(20);
  backend_->for_each(codes.size(), [&](std::size_t i) {
    codes[i] = run(*backend_->open_arb(w_.view(), u_.view()), *search);
  });
  for (const PanelCode& code : codes) {
    EXPECT_EQ(code.signs, expected.signs);
    EXPECT_EQ(code.residual, expected.residual);
    EXPECT_EQ(code.index, expected.index);
  }
}

// Groups of +-1 and +-3. The only codeword is (+,+,+,+); what has the other sign joins the group
// whose positive value is nearest.
TEST_P(ArbSessionTest, FlippedEntriesTakeTheNearestGroupOfTheirNewSign) {
  Matrix<float> w(1, 4);
  w.values() = {2.5F, -2.5F, 0.4F, -0.4F};
  Matrix<float> u(4, 4);
  for (std::size_t j = 0; j < 4; ++j) {
    u(j, j) = 1;
  }
  PanelScales scales;
  scales.alpha = Matrix<float>(1, 2);
  scales.alpha.values() = {1, 3};
  PanelGroups groups;
  groups.count = 2;
  groups.group = Matrix<std::uint8_t>(1, 4);
  const std::vector<Pattern> all_plus = {0b1111};
  const auto search = backend_->open_codewords(all_plus, 4);
  Matrix<float> thresholds(1, 1, 2.0F);
  EncodeRule rule;
  rule.chunk = 4;
  rule.codewords = search.get();
  rule.group_thresholds = thresholds.view();
  const auto session = backend_->open_arb(w.view(), u.view());
  for (const Grouping grouping : {Grouping::kThresholds, Grouping::kNearest}) {
    rule.grouping = grouping;
    EXPECT_THAT(session->encode({0, 4}, groups, scales, rule).group.values(),
                ElementsAre(1, 0, 0, 0));
  }
  rule.codewords = nullptr;
  EXPECT_THAT(session->encode({0, 4}, groups, scales, rule).group.values(),
              ElementsAre(1, 1, 0, 0));
}

TEST_P(ArbSessionTest, EncodeWithoutCompensationGivesNearestSigns) {
  open(20, 40, 31);
  Rng rng(32);
  const PanelGroups groups = random_groups(20, 40, 2, {0, 39}, rng);
  const PanelScales scales = session_->fit(w_.view(), groups, {FitRule::kArb, 15}).scales;
  EncodeRule rule;
  rule.compensation = Compensation::kNone;
  const PanelCode code = session_->encode({0, 40}, groups, scales, rule);
  expect_equal(code, nearest_signs(w_.view(), groups, scales));
}

// The target of a chunk is what exact compensation of all columns left of it leaves there.
TEST_P(ArbSessionTest, SequentialTargetsFollowTheEliminationOfEarlierColumns) {
  open(9, 24, 33);
  PanelGroups groups;
  groups.group = Matrix<std::uint8_t>(9, 24);
  const PanelScales scales = session_->fit(w_.view(), groups, {FitRule::kArb, 15}).scales;
  EncodeRule rule;
  rule.chunk = 8;
  const PanelCode code = session_->encode({0, 24}, groups, scales, rule);
  const Matrix<float> q = dequantize_panel(scales, groups, code);
  session_->compensate({0, 8}, q.view().columns(0, 8), Compensation::kExact);
  session_->compensate({8, 16}, q.view().columns(8, 16), Compensation::kExact);
  const Matrix<float> left = session_->weights({16, 24});
  for (std::size_t i = 0; i < 9; ++i) {
    for (std::size_t j = 0; j < 8; ++j) {
      EXPECT_NEAR(code.target(i, 16 + j), left(i, j), 1e-7);
    }
  }
}

// Double sums in another order, rounded once: a step of fp32 at the most.
TEST_P(ArbSessionTest, CompensateEqualsTheReference) {
  for (const Compensation kind : {Compensation::kNone, Compensation::kBlock, Compensation::kExact,
                                  Compensation::kSequential}) {
    open(300, 200, 41);
    Rng rng(42);
    const Matrix<float> q = random_matrix(300, 128, rng, kDeviation);
    session_->compensate({0, 128}, q.view(), kind);
    reference_session_->compensate({0, 128}, q.view(), kind);
    EXPECT_EQ(session_->weights({0, 128}), reference_session_->weights({0, 128}))
        << "the panel itself stays";
    expect_close(session_->weights({128, 200}), reference_session_->weights({128, 200}), 1e-7);
  }
}

TEST_P(ArbSessionTest, EnergyEqualsTheReference) {
  open(300, 200, 51);
  const double expected = reference_session_->energy(w_.view());
  EXPECT_NEAR(session_->energy(w_.view()), expected, 1e-5 * expected);
  EXPECT_EQ(session_->energy_of_weights(), session_->energy(w_.view()));
}

BTC_FOR_ALL_BACKENDS(ArbSessionTest);

TEST(CpuArbSession, EveryResultIsTheSameForAnyNumberOfThreads) {
  Rng rng(81);
  const Matrix<float> w = random_matrix(700, 160, rng, kDeviation);
  const Matrix<float> u = random_factor(160, rng);
  const PanelGroups groups = random_groups(700, 128, 3, {7, 8}, rng);
  std::vector<Matrix<float>> weights;
  std::vector<double> energies;
  std::vector<Matrix<float>> alphas;
  std::vector<std::vector<double>> scores;
  for (const int threads : {1, 2, 3}) {
    const auto backend = make_cpu_backend(threads);
    const auto session = backend->open_arb(w.view(), u.view());
    const PanelScales scales =
        session->fit(session->weights({0, 128}).view(), groups, {FitRule::kArb, 15}).scales;
    const PanelCode code = session->encode({0, 128}, groups, scales, {});
    alphas.push_back(session->refit({0, 128}, groups, scales, code).alpha);
    std::vector<std::uint32_t> order(128);
    for (std::size_t j = 0; j < 128; ++j) {
      order[j] = static_cast<std::uint32_t>(j);
    }
    scores.push_back(session->score_salient({0, 128}, order, 49));
    session->compensate({0, 128}, dequantize_panel(scales, groups, code).view(),
                        Compensation::kExact);
    weights.push_back(session->weights({128, 160}));
    energies.push_back(session->energy(w.view()));
  }
  for (std::size_t t = 1; t < weights.size(); ++t) {
    EXPECT_EQ(weights[t], weights[0]);
    EXPECT_EQ(energies[t], energies[0]);
    EXPECT_EQ(alphas[t], alphas[0]);
    EXPECT_EQ(scores[t], scores[0]);
  }
}

TEST(Entry, TiesTakePlusOneOrTheLowerPlane) {
  EXPECT_TRUE(entry_sign(0.5F, {1, 0.5F}));
  EXPECT_FALSE(salient_sign(0, {2, 1, 0})) << "-1 and +1 are equally near";
  EXPECT_FALSE(salient_residual(2, {2, 1, 0}, true)) << "1 and 3 are equally near";
  EXPECT_FALSE(salient_residual(5, {2, 0, 0}, true)) << "a plane without scale";
}

TEST(RoundCosts, LargestBecomesTheLimitAndZerosStayZero) {
  const std::vector<float> costs = {0.5F, 0, 2, 1};
  std::vector<std::int32_t> rounded(4);
  round_costs(costs, rounded);
  EXPECT_THAT(rounded, ElementsAre(1 << 22, 0, 1 << 24, 1 << 23));
  round_costs(std::vector<float>{0, 0, 0, 0}, rounded);
  EXPECT_THAT(rounded, ElementsAre(0, 0, 0, 0));
}

}  // namespace
}  // namespace btc
