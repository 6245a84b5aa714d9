#include "model/token_forest.hpp"

#include <gmock/gmock.h>

#include <algorithm>
#include <cmath>
#include <numeric>

#include "model/block_forward.hpp"
#include "model/checkpoint.hpp"

namespace btc {
namespace {

using ::testing::ElementsAre;

/// The example of the header: [5, 6, 7] and [5, 6, 8, 9], then [4].
TokenForest example() {
  TokenForest forest;
  const std::int32_t shared = forest.add(std::vector<std::int32_t>{5, 6});
  forest.add(7, shared);
  forest.add(std::vector<std::int32_t>{8, 9}, shared);
  forest.end_tree();
  forest.add(4, TokenForest::kRoot);
  forest.end_tree();
  return forest;
}

TEST(TokenForest, KeepsSharedTokensOnce) {
  const TokenForest forest = example();
  EXPECT_THAT(forest.ids, ElementsAre(5, 6, 7, 8, 9, 4));
  EXPECT_THAT(forest.parent, ElementsAre(-1, 0, 1, 1, 3, -1));
  EXPECT_THAT(forest.tree_start, ElementsAre(0, 5, 6));
  EXPECT_THAT(forest.positions(), ElementsAre(0, 1, 2, 2, 3, 0));
  EXPECT_FALSE(forest.is_chain(0));
  EXPECT_TRUE(forest.is_chain(1));
}

TEST(TokenForest, ATokenSeesItsPath) {
  const std::vector<float> mask = example().attention_mask(0);
  std::string seen;
  for (const float value : mask) {
    seen += value == 0.0F ? 'x' : std::isinf(value) && value < 0 ? '.' : '?';
  }
  EXPECT_EQ(seen,
            "x...."
            "xx..."
            "xxx.."
            "xx.x."
            "xx.xx");
}

TEST(TokenForest, AParentBelongsToTheSameTree) {
  TokenForest forest = example();
  EXPECT_ANY_THROW(forest.add(1, 5));
  EXPECT_ANY_THROW(forest.add(1, 6));
}

/// Blocks of each family on a forest against each sequence by itself.
class ForestForward : public ::testing::TestWithParam<const char*> {
 protected:
  void SetUp() override {
    configure_torch(1);
    model_ = Checkpoint::open(std::string(BTC_SOURCE_DIR "/tests/golden/models/") + GetParam());
  }

  [[nodiscard]] Matrix<float> through_block(const TokenForest& forest) const {
    const BlockForward block(model_->config(), model_->load_block(0));
    return block.run(model_->embed(forest.ids).view(), forest);
  }
  [[nodiscard]] Matrix<float> alone(const std::vector<std::int32_t>& ids) const {
    const BlockForward block(model_->config(), model_->load_block(0));
    return block.run(model_->embed(ids).view());
  }

  std::unique_ptr<Checkpoint> model_;
};

std::vector<std::int32_t> some_ids(std::size_t count, std::int32_t step) {
  std::vector<std::int32_t> ids(count);
  for (std::size_t i = 0; i < count; ++i) {
    ids[i] = static_cast<std::int32_t>(i * i + 7 * i) * step % 53;
  }
  return ids;
}

void expect_rows(const Matrix<float>& got, const std::vector<std::size_t>& rows,
                 const Matrix<float>& expected) {
  ASSERT_EQ(rows.size(), expected.rows());
  for (std::size_t t = 0; t < rows.size(); ++t) {
    for (std::size_t j = 0; j < expected.cols(); ++j) {
      ASSERT_NEAR(got(rows[t], j), expected(t, j), 1e-5) << t << ", " << j;
    }
  }
}

TEST_P(ForestForward, ABranchIsASequenceByItself) {
  const std::vector<std::int32_t> stem = some_ids(11, 1);
  std::vector<std::int32_t> left = stem;
  std::vector<std::int32_t> right = stem;
  TokenForest forest;
  forest.add(some_ids(5, 3));
  forest.end_tree();
  const std::int32_t shared = forest.add(stem);
  const auto extend = [&](std::vector<std::int32_t>& sequence, std::vector<std::int32_t> ids) {
    forest.add(ids, shared);
    sequence.insert(sequence.end(), ids.begin(), ids.end());
  };
  extend(left, some_ids(4, 5));
  extend(right, some_ids(17, 2));
  forest.end_tree();
  const Matrix<float> got = through_block(forest);
  std::vector<std::size_t> rows(5);
  std::iota(rows.begin(), rows.end(), 0);
  expect_rows(got, rows, alone(some_ids(5, 3)));
  rows.resize(15);
  std::iota(rows.begin(), rows.end(), 5);
  expect_rows(got, rows, alone(left));
  rows.resize(28);
  std::iota(rows.begin() + 11, rows.end(), 20);
  expect_rows(got, rows, alone(right));
}

TEST_P(ForestForward, SomeRowsAreRowsOfTheWhole) {
  const TokenForest forest = example();
  const BlockForward block(model_->config(), model_->load_block(0));
  const Matrix<float> hidden = model_->embed(forest.ids);
  const Matrix<float> whole = block.run(hidden.view(), forest);
  const std::vector<std::int64_t> rows = {1, 4, 5};
  const Matrix<float> some = block.run(hidden.view(), forest, rows);
  for (std::size_t r = 0; r < rows.size(); ++r) {
    const auto expected = whole.row(static_cast<std::size_t>(rows[r]));
    EXPECT_THAT(some.row(r), ::testing::Pointwise(::testing::FloatNear(1e-5F), expected));
  }
}

TEST_P(ForestForward, HeadScoresItsTargetsInTheirOrder) {
  const Matrix<float> hidden = alone(some_ids(300, 1));  // more rows than the head takes at once
  const HeadForward head(*model_);
  const Matrix<float> logits = head.logits(hidden.view());
  const std::vector<HeadTarget> targets = {{299, 3}, {0, 5}, {299, 9}, {256, 0}, {255, 1}};
  const std::vector<TargetScore> scores = head.score(hidden.view(), targets);
  for (std::size_t t = 0; t < targets.size(); ++t) {
    const auto row = logits.row(static_cast<std::size_t>(targets[t].row));
    double sum = 0;
    for (const float logit : row) {
      sum += std::exp(static_cast<double>(logit));
    }
    EXPECT_NEAR(scores[t].log_probability,
                static_cast<double>(row[static_cast<std::size_t>(targets[t].id)]) - std::log(sum),
                1e-5);
    const auto best = std::max_element(row.begin(), row.end()) - row.begin();
    EXPECT_EQ(scores[t].greedy, best == targets[t].id);
    EXPECT_TRUE(
        head.score(hidden.view(),
                   std::vector<HeadTarget>{{targets[t].row, static_cast<std::int32_t>(best)}})
            .front()
            .greedy);
  }
}

INSTANTIATE_TEST_SUITE_P(Families, ForestForward,
                         ::testing::Values("llama_gqa_llama3", "llama_untied_bias", "qwen2_tied",
                                           "qwen3"));

}  // namespace
}  // namespace btc
