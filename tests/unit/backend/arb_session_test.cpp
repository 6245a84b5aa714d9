/// Every backend against hand-made cases and against the reference: integers equal, floats within
/// the tolerance that stands beside them.
#include <gmock/gmock.h>

#include <cmath>
#include <numeric>
#include <utility>

#include "backend/backend.hpp"
#include "backend/entry.hpp"
#include "common/rng.hpp"
#include "support/backends.hpp"
#include "support/random_matrix.hpp"

namespace btc {
namespace {

using test::random_matrix;
using ::testing::ElementsAre;
using ::testing::FloatEq;

constexpr double kDeviation = 0.02;  // about that of trained weights

/// Upper triangular, well conditioned, like the factor of a correlated Hessian.
Matrix<float> random_factor(std::size_t m, Rng& rng) {
  Matrix<float> u(m, m);
  for (std::size_t i = 0; i < m; ++i) {
    u(i, i) = static_cast<float>(0.5 + rng.uniform());
    for (std::size_t j = i + 1; j < m; ++j) {
      const double decay = std::exp(-0.3 * static_cast<double>(j - i));
      u(i, j) = static_cast<float>(-0.6 * decay + 0.01 * rng.normal());
    }
  }
  return u;
}

PanelGroups random_groups(std::size_t rows, std::size_t cols, std::size_t count,
                          std::vector<std::uint32_t> salient, Rng& rng,
                          std::size_t salient_count = 1) {
  PanelGroups groups;
  groups.count = count;
  groups.salient_count = salient_count;
  groups.salient = std::move(salient);
  groups.group = Matrix<std::uint8_t>(rows, cols);
  for (auto& g : groups.group.values()) {
    g = static_cast<std::uint8_t>(rng.below(count));
  }
  for (std::size_t i = 0; i < rows; ++i) {
    for (const auto j : groups.salient) {
      groups.group(i, j) = salient_code(rng.below(salient_count));
    }
  }
  return groups;
}

double largest(const Matrix<float>& a) {
  double result = 0;
  for (const float x : a.values()) {
    result = std::max(result, std::fabs(static_cast<double>(x)));
  }
  return result;
}

/// |a - b| <= tolerance * max |b|.
void expect_close(const Matrix<float>& a, const Matrix<float>& b, double tolerance) {
  ASSERT_EQ(a.size(), b.size());
  const double limit = tolerance * largest(b);
  for (std::size_t e = 0; e < a.size(); ++e) {
    ASSERT_NEAR(a.values()[e], b.values()[e], limit) << "element " << e;
  }
}

void expect_close(const std::vector<double>& a, const std::vector<double>& b, double tolerance) {
  ASSERT_EQ(a.size(), b.size());
  for (std::size_t e = 0; e < a.size(); ++e) {
    ASSERT_NEAR(a[e], b[e], tolerance * std::fabs(b[e])) << "element " << e;
  }
}

void expect_equal(const PanelCode& a, const PanelCode& b) {
  EXPECT_EQ(a.signs, b.signs);
  EXPECT_EQ(a.residual, b.residual);
  EXPECT_EQ(a.index, b.index);
  EXPECT_EQ(a.group, b.group);
  EXPECT_EQ(a.target, b.target);
}

class ArbSessionTest : public test::BackendTest {
 protected:
  /// A session of both backends on the same Linear.
  void open(std::size_t rows, std::size_t cols, std::uint64_t seed) {
    Rng rng(seed);
    w_ = random_matrix(rows, cols, rng, kDeviation);
    u_ = random_factor(cols, rng);
    session_ = backend_->open_arb(w_.view(), u_.view());
    reference_session_ = reference_->open_arb(w_.view(), u_.view());
  }
  std::unique_ptr<Backend> reference_ = make_reference_backend();
  Matrix<float> w_;
  Matrix<float> u_;
  std::unique_ptr<ArbSession> session_;
  std::unique_ptr<ArbSession> reference_session_;
};

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

TEST_P(ArbSessionTest, RefitEqualsTheReferenceAndLowersTheError) {
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
TEST_P(ArbSessionTest, NoScaleNearARefittedOneIsBetter) {
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

TEST_P(ArbSessionTest, RefitKeepsScalesThatNothingDetermines) {
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
