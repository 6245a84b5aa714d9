#include "quant/sign_sets.hpp"

#include <gmock/gmock.h>

#include "backend/panel.hpp"
#include "common/error.hpp"
#include "common/rng.hpp"

namespace btc {
namespace {

using ::testing::ElementsAre;

/// A 2 x 6 panel; s is a salient entry.
///   0 1 s 0 0 1
///   0 0 s 1 0 0
Matrix<std::uint8_t> example_groups() {
  const std::uint8_t s = salient_code(0);
  Matrix<std::uint8_t> group(2, 6);
  group.values() = {0, 1, s, 0, 0, 1, 0, 0, s, 1, 0, 0};
  return group;
}

BitMatrix bits(std::size_t cols, const std::vector<bool>& values) {
  BitMatrix matrix(values.size() / cols, cols);
  for (std::size_t k = 0; k < values.size(); ++k) {
    matrix.set(k / cols, k % cols, values[k]);
  }
  return matrix;
}

// By hand, first sign in the lowest bit. Group 0 has the signs + + - | + - - +, group 1 - + | +,
// the salient entries - | - and, in the second plane, + | -.
TEST(SignSets, AreVectorsOfTheirSignsPaddedWithPlusMinus) {
  const auto sets = sign_sets(example_groups(), {2, 1, true});
  ASSERT_EQ(sets.size(), 4U);
  const BitMatrix signs = bits(6, {true, false, false, true, false, true,  //
                                   true, false, false, true, false, true});
  const BitMatrix residual = bits(1, {true, false});
  EXPECT_THAT(set_vectors(sets[0], signs, 0, 4), ElementsAre(0b1011U, 0b1100U));
  EXPECT_THAT(set_vectors(sets[1], signs, 0, 4), ElementsAre(0b1110U)) << "one +1 of padding";
  EXPECT_THAT(set_vectors(sets[2], signs, 0, 4), ElementsAre(0b0100U)) << "+1, -1 of padding";
  EXPECT_TRUE(sets[3].second);
  EXPECT_THAT(set_vectors(sets[3], residual, 0, 4), ElementsAre(0b0101U));
}

TEST(SignSets, AnEmptySetHasNoVector) {
  Matrix<std::uint8_t> group(3, 4, 0);
  const auto sets = sign_sets(group, {3, 1, true});
  ASSERT_EQ(sets.size(), 5U);
  EXPECT_EQ(sets[0].vectors(5), 3U);
  for (std::size_t k = 1; k < sets.size(); ++k) {
    EXPECT_EQ(sets[k].vectors(5), 0U);
  }
}

/// A Linear [7, 50] of three panels with two groups, two salient groups and free signs.
QuantizedLinear random_example() {
  QuantizedLinear linear;
  linear.rows = 7;
  linear.cols = 50;
  linear.panel = 20;
  linear.groups = 2;
  linear.salient_groups = 2;
  linear.salient_columns = {3, 19, 41};
  linear.signs = BitMatrix(7, 50);
  linear.residual = BitMatrix(7, 3);
  linear.group = Matrix<std::uint8_t>(7, 50);
  Rng rng(3);
  for (std::size_t i = 0; i < 7; ++i) {
    for (std::size_t j = 0; j < 50; ++j) {
      linear.signs.set(i, j, rng.below(2) == 1);
      linear.group(i, j) = static_cast<std::uint8_t>(rng.below(2));
    }
    for (std::size_t r = 0; r < 3; ++r) {
      linear.residual.set(i, r, rng.below(2) == 1);
      linear.group(i, linear.salient_columns[r]) = salient_code(rng.below(2));
    }
  }
  return linear;
}

TEST(SignSets, VectorsOfALinearGiveItsSignsBack) {
  const QuantizedLinear linear = random_example();
  const SignGroups groups{2, 2, true};
  std::vector<Pattern> vectors;
  std::size_t signs = 0;
  for_each_panel(linear, groups, [&](std::size_t b, const PanelSets& panel) {
    EXPECT_EQ(panel.column, 20 * b);
    EXPECT_EQ(panel.sets.size(), 6U);
    for (const SignSet& set : panel.sets) {
      signs += set.places.size();
      const BitMatrix& plane = set.second ? linear.residual : linear.signs;
      const auto of_set = set_vectors(set, plane, panel.begin(set), 6);
      vectors.insert(vectors.end(), of_set.begin(), of_set.end());
    }
  });
  EXPECT_EQ(signs, 7U * (50 + 3)) << "both planes of every salient entry";
  EXPECT_EQ(vector_count(linear, groups, 6), vectors.size());
  QuantizedLinear back = linear;
  back.signs = BitMatrix(7, 50);
  back.residual = BitMatrix(7, 3);
  fill_signs(
      groups,
      [&](std::size_t /*panel*/, std::size_t /*set*/, std::size_t k) { return vectors.at(k); }, 6,
      back);
  EXPECT_EQ(back, linear);
}

TEST(SignSets, HistogramsCountTheVectorsOfEachSet) {
  const QuantizedLinear linear = random_example();
  const auto histograms = set_histograms(linear, {2, 2, true}, 6);
  ASSERT_EQ(histograms.size(), 3U * 6);
  std::uint64_t count = 0;
  for (const PatternHistogram& histogram : histograms) {
    for (const std::uint64_t of_pattern : histogram.counts) {
      count += of_pattern;
    }
  }
  EXPECT_EQ(count, vector_count(linear, {2, 2, true}, 6));
}

}  // namespace
}  // namespace btc
