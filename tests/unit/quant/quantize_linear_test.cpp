#include "quant/quantize_linear.hpp"

#include <gmock/gmock.h>

#include <cmath>
#include <limits>

#include "common/half.hpp"
#include "common/int8_scales.hpp"
#include "quant/codebook.hpp"
#include "quant/sign_sets.hpp"
#include "support/backends.hpp"
#include "unit/quant/problems.hpp"

namespace btc {
namespace {

using ::testing::Each;
using ::testing::HasSubstr;
using ::testing::SizeIs;

CodebookParams codebook_of(int v, double bits) {
  CodebookParams params;
  params.vector_length = v;
  params.target_bits = bits;
  return params;
}

void expect_fp16(const std::vector<float>& values) {
  for (const float x : values) {
    ASSERT_EQ(x, round_to_fp16(x));
  }
}

/// The rule that can go with these scales.
SalientRule salient_with(ScaleLayout scales) {
  return scales == ScaleLayout::kRowRatioI8 ? SalientRule::kNone : SalientRule::kSearch;
}

void expect_int8(std::vector<float> values) {
  const std::vector<float> before = values;
  round_to_int8(values);
  EXPECT_EQ(values, before);
}

/// What holds for every result.
void expect_consistent(const QuantizedLinear& q, const CodewordSearch* codewords) {
  expect_fp16(q.alpha.values());
  expect_fp16(q.mu.values());
  expect_fp16(q.salient_alpha.values());
  expect_fp16(q.salient_mu.values());
  expect_fp16(q.alpha_col);
  if (q.int8_scales) {
    expect_int8(q.alpha.values());
    expect_int8(q.alpha_col);
  }
  const std::size_t blocks = q.panels();
  expect_fp16(q.group_ratio);
  EXPECT_EQ(q.alpha.size(), q.rows * blocks * (q.group_ratio.empty() ? q.groups : 1));
  EXPECT_TRUE(std::is_sorted(q.salient_columns.begin(), q.salient_columns.end()));
  EXPECT_EQ(q.residual.cols(), q.salient_columns.size());
  EXPECT_EQ(q.salient_alpha.size(), q.salient_columns.empty() ? 0 : q.rows * blocks * 2);
  EXPECT_EQ(q.group.size(), q.groups > 1 ? q.rows * q.cols : 0);
  for (const std::uint8_t g : q.group.values()) {
    ASSERT_TRUE(g < q.groups || g == kSalientGroup);
  }
  if (codewords == nullptr) {
    EXPECT_EQ(q.vector_length, 0);
    EXPECT_TRUE(q.index.empty());
    return;
  }
  ASSERT_EQ(q.vector_length, codewords->vector_length());
  const auto v = static_cast<std::size_t>(q.vector_length);
  ASSERT_EQ(q.index.cols(), ceil_div(q.cols, v));
  BitMatrix decoded(q.rows, q.cols);
  for (std::size_t i = 0; i < q.rows; ++i) {
    for (std::size_t s = 0; s < q.index.cols(); ++s) {
      decoded.set_pattern(i, s * v, q.vector_length, codewords->codewords()[q.index(i, s)]);
    }
  }
  EXPECT_EQ(decoded, q.signs);
}

class QuantizeLinearTest : public test::BackendTest {
 protected:
  QuantizeResult run(const Matrix<float>& w, const HessianFactor& factor,
                     const BinarizeParams& binarize,
                     const std::optional<CodebookParams>& codebook = std::nullopt,
                     const CodewordSearch* codewords = nullptr,
                     const std::optional<std::vector<std::uint32_t>>& salient = std::nullopt) {
    QuantizeResult result =
        quantize_linear(w.view(), factor, binarize, codebook, codewords, salient, *backend_);
    expect_consistent(result.linear, codewords);
    const Matrix<float> error = test::difference(w, dequantize(result.linear));
    const double energy = output_energy(w.view(), factor);
    if (energy > 0) {
      const double expected = output_energy(error.view(), factor) / energy;
      EXPECT_NEAR(result.relative_error, expected, 1e-3 * expected + 1e-7);
    }
    EXPECT_THAT(result.group_share, SizeIs(result.linear.groups));
    return result;
  }

  /// Both passes with a codebook learned from the first.
  QuantizeResult run_coded(const Matrix<float>& w, const HessianFactor& factor,
                           const BinarizeParams& binarize, const CodebookParams& codebook) {
    const QuantizeResult first = run(w, factor, binarize, codebook);
    const Codebook learned = learn_codebook(
        pattern_histogram(first.linear.signs, codebook.vector_length), codebook, 1, *backend_);
    const auto search = backend_->open_codewords(learned.codewords, codebook.vector_length);
    QuantizeResult result =
        run(w, factor, binarize, codebook, search.get(), first.linear.salient_columns);
    EXPECT_EQ(result.linear.salient_columns, first.linear.salient_columns);
    return result;
  }
};

TEST_P(QuantizeLinearTest, EightBitScalesCostLittle) {
  const Matrix<float> w = test::normal_weights(64, 160, 1);
  const HessianFactor factor = test::ar1_factor(160, 0.8, *backend_);
  BinarizeParams binarize;
  binarize.split_points = 1;
  binarize.salient = SalientRule::kNone;
  binarize.scales = ScaleLayout::kRowRatio;
  const double half = run_coded(w, factor, binarize, codebook_of(8, 0.8)).relative_error;
  binarize.scales = ScaleLayout::kRowRatioI8;
  const QuantizeResult result = run_coded(w, factor, binarize, codebook_of(8, 0.8));
  EXPECT_TRUE(result.linear.int8_scales);
  EXPECT_NE(result.relative_error, half);
  EXPECT_LT(result.relative_error, 1.02 * half);
}

TEST_P(QuantizeLinearTest, EverySwitchWorksOnOddShapes) {
  const Matrix<float> w = test::normal_weights(19, 150, 1);
  const HessianFactor factor = test::ar1_factor(150, 0.8, *backend_);
  for (const SplitRule rule :
       {SplitRule::kSearch, SplitRule::kRatio2, SplitRule::kMagnitude, SplitRule::kFraction}) {
    for (const SalientRule salient :
         {SalientRule::kNone, SalientRule::kSearch, SalientRule::kFraction}) {
      for (const ScaleLayout scales : {ScaleLayout::kPanel, ScaleLayout::kRow,
                                       ScaleLayout::kRowRatio, ScaleLayout::kRowRatioI8}) {
        if (scales == ScaleLayout::kRowRatioI8 && salient != SalientRule::kNone) {
          continue;
        }
        for (int splits = shares_group_ratio(scales) ? 1 : 0; splits <= 3; ++splits) {
          BinarizeParams binarize;
          binarize.split_rule = rule;
          binarize.split_points = splits;
          binarize.salient = salient;
          binarize.scales = scales;
          binarize.panel = 64;
          binarize.iterations = 3;
          if (rule == SplitRule::kFraction) {
            binarize.group_fractions.assign(static_cast<std::size_t>(splits), 0.1);
          }
          SCOPED_TRACE(concat("rule ", static_cast<int>(rule), " salient ",
                              static_cast<int>(salient), " layout ", static_cast<int>(scales),
                              " splits ", splits));
          const QuantizeResult result = run_coded(w, factor, binarize, codebook_of(6, 0.8));
          EXPECT_LT(result.relative_error, 0.6);
          EXPECT_EQ(result.linear.panel, scales == ScaleLayout::kPanel ? 60U : 150U);
          EXPECT_EQ(result.linear.mu.empty(), scales != ScaleLayout::kPanel);
          EXPECT_EQ(result.linear.group_ratio.empty(), !shares_group_ratio(scales));
          EXPECT_EQ(result.linear.alpha_col.empty(), scales == ScaleLayout::kPanel);
          EXPECT_EQ(result.linear.salient_columns.empty(), salient == SalientRule::kNone);
        }
      }
    }
  }
}

TEST_P(QuantizeLinearTest, WidthsThatNothingDivides) {
  for (const std::size_t cols : {86U, 704U, 1000U}) {
    const Matrix<float> w = test::normal_weights(12, cols, 2);
    const HessianFactor factor = test::ar1_factor(cols, 0.5, *backend_);
    BinarizeParams binarize;
    binarize.split_rule = SplitRule::kSearch;
    EXPECT_LT(run_coded(w, factor, binarize, codebook_of(16, 0.8)).relative_error, 0.5);
    EXPECT_LT(run_coded(w, factor, binarize, codebook_of(20, 0.7)).relative_error, 0.5);
  }
}

TEST_P(QuantizeLinearTest, ZeroLinearStaysZero) {
  const Matrix<float> w(10, 140);
  const HessianFactor factor = test::ar1_factor(140, 0.5, *backend_);
  for (const SplitRule rule : {SplitRule::kSearch, SplitRule::kRatio2, SplitRule::kMagnitude}) {
    for (const ScaleLayout scales : {ScaleLayout::kPanel, ScaleLayout::kRow, ScaleLayout::kRowRatio,
                                     ScaleLayout::kRowRatioI8}) {
      BinarizeParams binarize;
      binarize.split_rule = rule;
      binarize.scales = scales;
      binarize.salient = salient_with(scales);
      const QuantizeResult result = run_coded(w, factor, binarize, codebook_of(8, 0.8));
      EXPECT_EQ(result.relative_error, 0);
      EXPECT_THAT(dequantize(result.linear).values(), Each(0));
    }
  }
}

TEST_P(QuantizeLinearTest, DeadColumnsAreQuantizedAsZeros) {
  Matrix<float> h = test::ar1_hessian(64, 0.7);
  for (std::size_t j = 0; j < 64; ++j) {
    h(9, j) = h(j, 9) = 0;
  }
  const HessianFactor factor = factor_hessian(h, 0.01, *backend_);
  Matrix<float> w = test::normal_weights(16, 64, 3);
  Matrix<float> zeroed = w;
  for (std::size_t i = 0; i < 16; ++i) {
    w(i, 9) = 0.1F;  // no input ever reaches it
    zeroed(i, 9) = 0;
  }
  const QuantizeResult result = run(w, factor, {});
  EXPECT_EQ(result.linear, run(zeroed, factor, {}).linear);
  EXPECT_LT(result.relative_error, 0.2);
}

TEST_P(QuantizeLinearTest, ConstantRowsAreExactInFp16) {
  Matrix<float> w(8, 64);
  for (std::size_t i = 0; i < 8; ++i) {
    for (std::size_t j = 0; j < 64; ++j) {
      w(i, j) = 0.25F * static_cast<float>(i);
    }
  }
  BinarizeParams binarize;
  binarize.split_points = 0;
  binarize.salient = SalientRule::kNone;
  const HessianFactor factor = test::ar1_factor(64, 0.7, *backend_);
  EXPECT_EQ(dequantize(run(w, factor, binarize).linear), w);
}

TEST_P(QuantizeLinearTest, PanelsOfSalientColumnsOnly) {
  const Matrix<float> w = test::normal_weights(16, 40, 4);
  const HessianFactor factor = test::ar1_factor(40, 0.7, *backend_);
  BinarizeParams binarize;
  binarize.salient = SalientRule::kFraction;
  binarize.salient_fraction = 1;
  binarize.panel = 16;
  for (const SplitRule rule : {SplitRule::kSearch, SplitRule::kMagnitude}) {
    for (const ScaleLayout scales :
         {ScaleLayout::kPanel, ScaleLayout::kRow, ScaleLayout::kRowRatio}) {
      binarize.split_rule = rule;
      binarize.scales = scales;
      const QuantizeResult result = run_coded(w, factor, binarize, codebook_of(8, 0.8));
      EXPECT_THAT(result.linear.salient_columns, SizeIs(40));
      EXPECT_LT(result.relative_error, 0.5);
    }
  }
}

TEST_P(QuantizeLinearTest, OneColumnAndOneRow) {
  const HessianFactor one = test::ar1_factor(1, 0.7, *backend_);
  EXPECT_LT(run(test::normal_weights(5, 1, 5), one, {}).relative_error, 1e-5);
  const HessianFactor factor = test::ar1_factor(50, 0.7, *backend_);
  EXPECT_LT(run(test::normal_weights(1, 50, 6), factor, {}).relative_error, 0.3);
}

// As many codewords as patterns: every free sign has its codeword, and Hamming finds it.
TEST_P(QuantizeLinearTest, LargeCodebooksAreLossless) {
  const Matrix<float> w = test::normal_weights(20, 96, 7);
  const HessianFactor factor = test::ar1_factor(96, 0.7, *backend_);
  for (const ScaleLayout scales :
       {ScaleLayout::kPanel, ScaleLayout::kRow, ScaleLayout::kRowRatio}) {
    BinarizeParams binarize;
    binarize.scales = scales;
    CodebookParams codebook = codebook_of(8, 1.0);
    codebook.assignment = Assignment::kHamming;
    codebook.encode = EncodeMode::kPost;
    codebook.refit = false;
    const QuantizeResult free = run(w, factor, binarize, codebook);
    const QuantizeResult coded = run_coded(w, factor, binarize, codebook);
    EXPECT_EQ(coded.linear.signs, free.linear.signs);
    EXPECT_EQ(dequantize(coded.linear), dequantize(free.linear));
    codebook.encode = EncodeMode::kInLoop;
    EXPECT_EQ(dequantize(run_coded(w, factor, binarize, codebook).linear), dequantize(free.linear));
  }
}

// The stored values are what the loop went on with: every panel, taken from what the stored panels
// before it leave, chooses the stored signs again.
TEST_P(QuantizeLinearTest, EachPanelIsCodedWithItsOwnCodebook) {
  const Matrix<float> w = test::normal_weights(20, 88, 7);
  const HessianFactor factor = test::ar1_factor(88, 0.7, *backend_);
  BinarizeParams binarize;
  binarize.panel = 40;
  CodebookParams codebook = codebook_of(8, 0.3);
  codebook.scope = CodebookScope::kBlockGroup;
  const QuantizeResult free = run(w, factor, binarize, codebook);
  std::vector<Codebook> codebooks;
  for (const PatternHistogram& histogram : codebook_histograms(free.linear, binarize, codebook)) {
    codebooks.push_back(learn_codebook(histogram, codebook, 1, *backend_));
  }
  ASSERT_THAT(codebooks, SizeIs(3));
  ASSERT_NE(codebooks[0].codewords, codebooks[1].codewords);
  for (const EncodeMode encode : {EncodeMode::kInLoop, EncodeMode::kPost}) {
    codebook.encode = encode;
    const QuantizedLinear coded =
        quantize_linear(w.view(), factor, binarize, codebook, LinearCodewords(codebooks),
                        free.linear.salient_columns, *backend_)
            .linear;
    for (std::size_t i = 0; i < coded.rows; ++i) {
      for (std::size_t s = 0; s < coded.index.cols(); ++s) {
        EXPECT_EQ(coded.signs.pattern(i, 8 * s, 8),
                  codebooks.at(s / 5).codewords.at(coded.index(i, s)));
      }
    }
  }
  EXPECT_THROW(quantize_linear(w.view(), factor, binarize, codebook,
                               LinearCodewords(std::span(codebooks).first(2)),
                               free.linear.salient_columns, *backend_),
               Error);
}

// With a codebook of all vectors nothing changes; with few, every vector of a set is a codeword.
TEST_P(QuantizeLinearTest, SetsAreCodedAsInThePaper) {
  const Matrix<float> w = test::normal_weights(20, 88, 7);
  const HessianFactor factor = test::ar1_factor(88, 0.7, *backend_);
  BinarizeParams binarize;
  binarize.panel = 40;
  binarize.split_rule = SplitRule::kSearch;
  binarize.compensation = Compensation::kBlock;
  CodebookParams codebook = codebook_of(8, 1.0);
  codebook.layout = CodebookLayout::kMasked;
  codebook.assignment = Assignment::kHamming;
  codebook.encode = EncodeMode::kPost;
  codebook.refit = false;
  const QuantizeResult free = run(w, factor, binarize, codebook);
  const auto coded = [&](const CodebookParams& params) {
    const auto codebooks = learn_codebooks(
        codebook_histograms(free.linear, binarize, params), params,
        [](std::size_t) { return std::uint64_t{1}; }, *backend_);
    if (params.scope == CodebookScope::kBlockGroup) {
      EXPECT_THAT(codebooks, SizeIs(3 * 5)) << "3 panels; 3 groups and the salient planes";
      return quantize_linear(w.view(), factor, binarize, params, LinearCodewords(codebooks),
                             free.linear.salient_columns, *backend_)
          .linear;
    }
    const auto search = backend_->open_codewords(codebooks.at(0).codewords, 8);
    return quantize_linear(w.view(), factor, binarize, params, search.get(),
                           free.linear.salient_columns, *backend_)
        .linear;
  };
  for (const CodebookScope scope : {CodebookScope::kLinear, CodebookScope::kBlockGroup}) {
    codebook.scope = scope;
    codebook.target_bits = 1.0;
    EXPECT_EQ(dequantize(coded(codebook)), dequantize(free.linear));
    codebook.target_bits = 0.3;
    const QuantizedLinear few = coded(codebook);
    EXPECT_TRUE(few.masked);
    EXPECT_NE(few.signs, free.linear.signs);
    const auto params = codebook;
    const auto codebooks = learn_codebooks(
        codebook_histograms(free.linear, binarize, params), params,
        [](std::size_t) { return std::uint64_t{1}; }, *backend_);
    QuantizedLinear decoded = few;
    const auto word = [&](std::size_t panel, std::size_t set, std::size_t k) {
      const std::size_t number = scope == CodebookScope::kLinear ? 0 : 5 * panel + set;
      return codebooks.at(number).codewords.at(few.index(0, k));
    };
    fill_signs(sign_groups(binarize), word, 8, decoded);
    EXPECT_EQ(decoded, few);
  }
}

TEST_P(QuantizeLinearTest, StoredPanelsReplayTheLoopBitForBit) {
  const Matrix<float> w = test::normal_weights(30, 130, 8);
  const HessianFactor factor = test::ar1_factor(130, 0.9, *backend_);
  for (const Compensation kind : {Compensation::kNone, Compensation::kBlock, Compensation::kExact,
                                  Compensation::kSequential}) {
    BinarizeParams binarize;
    binarize.compensation = kind;
    binarize.split_points = 0;
    binarize.salient = SalientRule::kNone;
    binarize.panel = 32;
    const QuantizedLinear linear = run(w, factor, binarize).linear;
    const Matrix<float> q = dequantize(linear);
    const auto session = backend_->open_arb(w.view(), factor.u.view());
    for (std::size_t b = 0; b < linear.panels(); ++b) {
      const Panel panel{b * 32, std::min<std::size_t>(b * 32 + 32, 130)};
      PanelScales scales;
      scales.alpha = Matrix<float>(30, 1);
      scales.mu = Matrix<float>(30, 1);
      for (std::size_t i = 0; i < 30; ++i) {
        scales.alpha(i, 0) = linear.alpha(i, b);
        scales.mu(i, 0) = linear.mu(i, b);
      }
      PanelGroups groups;
      groups.group = Matrix<std::uint8_t>(30, panel.width());
      EncodeRule rule;
      rule.chunk = 1;
      rule.compensation = kind;
      const PanelCode code = session->encode(panel, groups, scales, rule);
      for (std::size_t i = 0; i < 30; ++i) {
        for (std::size_t j = 0; j < panel.width(); ++j) {
          ASSERT_EQ(code.signs.get(i, j), linear.signs.get(i, panel.begin + j));
        }
      }
      session->compensate(panel, q.view().columns(panel.begin, panel.end), kind);
    }
  }
}

TEST_P(QuantizeLinearTest, CompensationOrdersTheOutputError) {
  const Matrix<float> w = test::normal_weights(48, 256, 9);
  const HessianFactor factor = test::ar1_factor(256, 0.9, *backend_);
  BinarizeParams binarize;
  binarize.panel = 64;
  binarize.salient = SalientRule::kNone;
  double last = INFINITY;
  for (const Compensation kind : {Compensation::kNone, Compensation::kBlock, Compensation::kExact,
                                  Compensation::kSequential}) {
    binarize.compensation = kind;
    const double error = run(w, factor, binarize).relative_error;
    EXPECT_LT(error, last) << static_cast<int>(kind);
    last = error;
  }
}

TEST_P(QuantizeLinearTest, WeightedAssignmentAndRefitLowerTheError) {
  const Matrix<float> w = test::normal_weights(48, 256, 10);
  const HessianFactor factor = test::ar1_factor(256, 0.9, *backend_);
  for (const ScaleLayout scales : {ScaleLayout::kPanel, ScaleLayout::kRow}) {
    BinarizeParams binarize;
    binarize.scales = scales;
    binarize.salient = SalientRule::kNone;
    for (const EncodeMode mode : {EncodeMode::kPost, EncodeMode::kInLoop}) {
      CodebookParams codebook = codebook_of(8, 0.8);
      codebook.encode = mode;
      const double best = run_coded(w, factor, binarize, codebook).relative_error;
      codebook.refit = false;
      const double unfitted = run_coded(w, factor, binarize, codebook).relative_error;
      EXPECT_LT(best, unfitted);
      codebook.assignment = Assignment::kHamming;
      EXPECT_LT(unfitted, 0.5 * run_coded(w, factor, binarize, codebook).relative_error);
    }
  }
}

TEST_P(QuantizeLinearTest, FractionFollowsTheShare) {
  const Matrix<float> w = test::normal_weights(48, 256, 11);
  const HessianFactor factor = test::ar1_factor(256, 0.0, *backend_);
  BinarizeParams binarize;
  binarize.split_rule = SplitRule::kFraction;
  binarize.split_points = 1;
  binarize.group_fractions = {0.05};
  binarize.salient = SalientRule::kNone;
  binarize.scales = ScaleLayout::kRow;
  EXPECT_NEAR(run(w, factor, binarize).group_share[1], 0.05, 0.002);
}

TEST_P(QuantizeLinearTest, NamesWeightsThatAreNotFinite) {
  Matrix<float> w = test::normal_weights(4, 16, 12);
  w(2, 3) = std::numeric_limits<float>::quiet_NaN();
  const HessianFactor factor = test::ar1_factor(16, 0.5, *backend_);
  try {
    quantize_linear(w.view(), factor, {}, std::nullopt, nullptr, std::nullopt, *backend_);
    FAIL() << "did not throw";
  } catch (const NumericError& error) {
    EXPECT_THAT(error.what(), HasSubstr("weight (2, 3) is nan"));
  }
}

TEST_P(QuantizeLinearTest, ScalesBeyondFp16AreClamped) {
  Matrix<float> w(1, 2, 1e6F);
  w(0, 1) = -1e6F;
  const HessianFactor factor = test::ar1_factor(2, 0.0, *backend_);
  BinarizeParams binarize;
  binarize.salient = SalientRule::kNone;
  const QuantizeResult result =
      quantize_linear(w.view(), factor, binarize, std::nullopt, nullptr, std::nullopt, *backend_);
  expect_consistent(result.linear, nullptr);
  EXPECT_EQ(std::fabs(dequantize(result.linear)(0, 0)), 65504.0F);
}

BTC_FOR_ALL_BACKENDS(QuantizeLinearTest);

TEST(QuantizeLinear, DoesNotDependOnTheNumberOfThreads) {
  const Matrix<float> w = test::normal_weights(600, 200, 13);
  const auto one = make_cpu_backend(1);
  const auto two = make_cpu_backend(2);
  const HessianFactor factor = test::ar1_factor(200, 0.9, *one);
  const CodebookParams codebook = codebook_of(8, 0.8);
  for (const SplitRule rule : {SplitRule::kSearch, SplitRule::kMagnitude}) {
    BinarizeParams binarize;
    binarize.split_rule = rule;
    const auto run = [&](Backend& backend) {
      return quantize_linear(w.view(), factor, binarize, codebook, nullptr, std::nullopt, backend);
    };
    const QuantizeResult a = run(*one);
    const QuantizeResult b = run(*two);
    EXPECT_EQ(a.linear, b.linear);
    EXPECT_EQ(a.relative_error, b.relative_error);
  }
}

}  // namespace
}  // namespace btc
