#include "quant/given.hpp"

#include <gmock/gmock.h>

#include "quant/quantize_linear.hpp"
#include "support/backends.hpp"
#include "support/thrown_by.hpp"
#include "unit/quant/problems.hpp"

namespace btc {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

// Columns: -1 or 3, always 2, -0.5 or 0.5.
Matrix<float> small_example() {
  Matrix<float> w(3, 3);
  w.values() = {3, 2, 0.5, -1, 2, 0.5, 3, 2, -0.5};
  return w;
}

TEST(GivenScales, AreHalfTheDistanceAndTheMiddle) {
  const GivenScales scales = given_scales(small_example().view());
  EXPECT_THAT(scales.alpha_col, ElementsAre(2, 0, 0.5));
  EXPECT_THAT(scales.mu_col, ElementsAre(1, 2, 0));
}

TEST(GivenScales, AThirdValueIsNamed) {
  Matrix<float> w = small_example();
  w(1, 2) = 0.25F;
  EXPECT_THAT(test::thrown_by<NumericError>([&] { given_scales(w.view()); }),
              AllOf(HasSubstr("column 2"), HasSubstr("0.25"), HasSubstr("at most two")));
}

class Given : public test::BackendTest {
 protected:
  /// Binary weights with exact fp16 scales and means.
  static Matrix<float> binary_weights(std::size_t rows, std::size_t cols) {
    Rng rng(8);
    Matrix<float> w(rows, cols);
    for (std::size_t j = 0; j < cols; ++j) {
      const float scale = static_cast<float>(1 + rng.below(30)) / 64.0F;
      const float mean = static_cast<float>(rng.below(9)) / 64.0F;
      for (std::size_t i = 0; i < rows; ++i) {
        w(i, j) = (rng.below(2) == 1 ? scale : -scale) + mean;
      }
    }
    return w;
  }
  static BinarizeParams settings() {
    BinarizeParams params;
    params.scales = ScaleLayout::kGiven;
    params.split_points = 0;
    params.salient = SalientRule::kNone;
    return params;
  }
};
BTC_FOR_ALL_BACKENDS(Given);

TEST_P(Given, WithoutCodebookNothingChanges) {
  const Matrix<float> w = binary_weights(10, 70);
  HessianFactor factor = test::ar1_factor(70, 0.7, *backend_);
  factor.dead_columns = {4};  // its signs are kept all the same
  const QuantizeResult result =
      quantize_linear(w.view(), factor, settings(), std::nullopt, nullptr, std::nullopt, *backend_);
  EXPECT_EQ(dequantize(result.linear), w);
}

TEST_P(Given, OnlyTheCodebookRuns) {
  const Matrix<float> w = binary_weights(10, 70);
  const HessianFactor factor = test::ar1_factor(70, 0.7, *backend_);
  CodebookParams codebook;
  codebook.vector_length = 8;
  codebook.centroids = 40;
  codebook.refit = false;
  std::vector<Pattern> codewords;
  for (Pattern k = 0; k < 40; ++k) {
    codewords.push_back(k * 6);
  }
  const auto search = backend_->open_codewords(codewords, 8);
  const QuantizeResult result = quantize_linear(w.view(), factor, settings(), codebook,
                                                search.get(), std::nullopt, *backend_);
  const GivenScales scales = given_scales(w.view());
  EXPECT_EQ(result.linear.alpha_col, scales.alpha_col);
  EXPECT_EQ(result.linear.mu_col, scales.mu_col);
  EXPECT_THAT(result.linear.alpha.values(), ::testing::Each(1.0F));
  EXPECT_GT(result.relative_error, 0.01);
  const Matrix<float> q = dequantize(result.linear);
  for (std::size_t i = 0; i < q.rows(); ++i) {
    for (std::size_t j = 0; j < q.cols(); ++j) {
      const float side = result.linear.signs.get(i, j) ? scales.alpha_col[j] : -scales.alpha_col[j];
      ASSERT_EQ(q(i, j), side + scales.mu_col[j]);
    }
  }
  codebook.refit = true;
  const QuantizeResult refit = quantize_linear(w.view(), factor, settings(), codebook, search.get(),
                                               std::nullopt, *backend_);
  EXPECT_LT(refit.relative_error, 1.02 * result.relative_error) << "scales fitted to the codewords";
  EXPECT_EQ(refit.linear.mu_col, scales.mu_col);
}

TEST(GivenScalesOf, RefuseWhatFp16CannotHold) {
  Matrix<float> w(2, 1);
  w(0, 0) = 70000;
  w(1, 0) = -70000;
  EXPECT_THAT(test::thrown_by<NumericError>([&] { given_scales(w.view()); }),
              ::testing::HasSubstr("column 0: -70000 and 70000 are too large for fp16 scales"));
  w(1, 0) = 69000;  // a small difference around a large mean
  EXPECT_THROW(given_scales(w.view()), NumericError);
}

}  // namespace
}  // namespace btc
