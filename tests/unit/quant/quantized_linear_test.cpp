#include "quant/quantized_linear.hpp"

#include <gmock/gmock.h>

#include "backend/panel.hpp"

namespace btc {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

// One row, two panels of 2, two groups, column 2 salient.
TEST(Dequantize, FollowsTheFormula) {
  QuantizedLinear linear;
  linear.rows = 1;
  linear.cols = 4;
  linear.panel = 2;
  linear.groups = 2;
  linear.signs = BitMatrix(1, 4);
  linear.signs.set(0, 1, true);
  linear.signs.set(0, 2, true);
  linear.group = Matrix<std::uint8_t>(1, 4);
  linear.group.values() = {0, 1, kSalientGroup, 1};
  linear.salient_columns = {2};
  linear.residual = BitMatrix(1, 1);
  linear.alpha = Matrix<float>(1, 4);
  linear.alpha.values() = {1, 2, 3, 4};
  linear.mu = Matrix<float>(1, 4);
  linear.mu.values() = {0.5F, 0.25F, 0, -1};
  linear.salient_alpha = Matrix<float>(1, 4);
  linear.salient_alpha.values() = {0, 0, 10, 3};
  linear.salient_mu = Matrix<float>(1, 2);
  linear.salient_mu.values() = {0, 100};
  EXPECT_THAT(dequantize(linear).values(), ElementsAre(-0.5F, 2.25F, 107, -5));
  linear.alpha_col = {2, 3, 1, 0.5F};
  linear.mu = {};
  linear.salient_mu = {};
  EXPECT_THAT(dequantize(linear).values(), ElementsAre(-2, 6, 7, -2));
}

TEST(PatternHistogram, PadsTheLastSubVectorWithPlusOne) {
  BitMatrix signs(2, 6);  // all -1
  signs.set(1, 0, true);
  const PatternHistogram histogram = pattern_histogram(signs, 4);
  EXPECT_THAT(histogram.patterns, ElementsAre(0b0000, 0b0001, 0b1100));
  EXPECT_THAT(histogram.counts, ElementsAre(1, 1, 2));
  EXPECT_THROW(pattern_histogram(signs, 3), Error);
}

TEST(MergeHistograms, AddsCountsOfEqualPatterns) {
  const PatternHistogram sum =
      merge_histograms({{4, {1, 5}, {2, 3}}, {4, {0, 5, 9}, {1, 10, 4}}, {4, {}, {}}});
  EXPECT_EQ(sum.vector_length, 4);
  EXPECT_THAT(sum.patterns, ElementsAre(0, 1, 5, 9));
  EXPECT_THAT(sum.counts, ElementsAre(1, 2, 13, 4));
  EXPECT_THAT(merge_histograms({}).patterns, IsEmpty());
  EXPECT_THROW(merge_histograms({{4, {1}, {1}}, {5, {1}, {1}}}), Error);
}

}  // namespace
}  // namespace btc
