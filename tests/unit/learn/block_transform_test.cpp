#include "learn/block_transform.hpp"

#include <gmock/gmock.h>

#include <cmath>
#include <filesystem>
#include <string>

#include "common/rng.hpp"
#include "model/block_forward.hpp"
#include "model/checkpoint.hpp"

namespace btc {
namespace {

/// Every family: biases, GQA, q and k norms, head_dim that is not hidden / heads.
class BlockTransformOf : public ::testing::TestWithParam<std::string> {
 protected:
  const std::unique_ptr<Checkpoint> checkpoint_ =
      Checkpoint::open(std::filesystem::path(BTC_SOURCE_DIR) / "tests/golden/models" / GetParam());
  const ModelConfig& model_ = checkpoint_->config();
  const BlockWeights original_ = checkpoint_->load_block(0);
  const BlockTransform transform_ = random_transform(model_, {}, 11);

  [[nodiscard]] Matrix<float> output(const BlockWeights& weights) const {
    Rng rng(3);
    Matrix<float> hidden(9, model_.hidden);
    for (float& value : hidden.values()) {
      value = static_cast<float>(rng.normal());
    }
    return BlockForward(model_, weights).run(std::as_const(hidden).view());
  }
  void expect_same_output(const BlockWeights& weights) const {
    const Matrix<float> expected = output(original_);
    const Matrix<float> found = output(weights);
    for (std::size_t i = 0; i < expected.size(); ++i) {
      EXPECT_NEAR(found.values()[i], expected.values()[i],
                  2e-5 * (1 + std::abs(expected.values()[i])));
    }
  }
};

TEST_P(BlockTransformOf, MergingLeavesTheOutput) {
  BlockWeights merged = original_;
  merge_transform(model_, transform_, merged);
  EXPECT_NE(merged.input_norm, original_.input_norm);
  EXPECT_NE(merged.linear[index_of(LinearKind::kV)], original_.linear[index_of(LinearKind::kV)]);
  expect_same_output(merged);
}

TEST_P(BlockTransformOf, TransformedAndFoldedBackLeavesTheOutput) {
  BlockWeights block = original_;
  merge_transform(model_, transform_, block);
  const OnlineFactors online = online_factors(transform_);
  for (const LinearKind kind : kLinearKinds) {
    const KroneckerFactors& factors = online.at(index_of(input_of(kind)));
    EXPECT_FALSE(factors.p1.empty());
    EXPECT_EQ(factors.p2.empty(), kind == LinearKind::kO);
    enter_transform(factors, block.linear.at(index_of(kind)).view());
    fold_transform(factors, block.linear.at(index_of(kind)).view());
  }
  expect_same_output(block);
}

TEST_P(BlockTransformOf, IsDrawnFromItsSeed) {
  EXPECT_EQ(random_transform(model_, {}, 11), transform_);
  EXPECT_NE(random_transform(model_, {}, 12), transform_);
}

TEST_P(BlockTransformOf, LeavesOutTheFactors) {
  TransformParams params;
  params.factors = false;
  const BlockTransform signs = random_transform(model_, params, 11);
  for (std::size_t k = 0; k < signs.size(); ++k) {
    EXPECT_TRUE(signs.at(k).factors.p1.empty());
    EXPECT_TRUE(signs.at(k).factors.p2.empty());
    EXPECT_EQ(signs.at(k).sign, transform_.at(k).sign);
  }
}

TEST_P(BlockTransformOf, LeavesOutTheSigns) {
  TransformParams params;
  params.signs = false;
  const BlockTransform factors = random_transform(model_, params, 11);
  for (std::size_t k = 0; k < factors.size(); ++k) {
    EXPECT_EQ(factors.at(k).sign, std::vector<float>(transform_.at(k).sign.size(), 1.0F));
    EXPECT_EQ(factors.at(k).factors, transform_.at(k).factors);
    EXPECT_NE(factors.at(k).sign, transform_.at(k).sign);
  }
}

INSTANTIATE_TEST_SUITE_P(Models, BlockTransformOf,
                         ::testing::Values("llama_gqa_llama3", "llama_untied_bias", "mistral",
                                           "qwen2_tied", "qwen3"),
                         [](const auto& given) { return given.param; });

TEST(FactorSizes, NameTheInputOfAPrimeWidth) {
  ModelConfig model;
  model.hidden = 32;
  model.intermediate = 89;
  model.heads = 3;
  model.kv_heads = 3;
  model.head_dim = 7;
  EXPECT_EQ(factor_sizes(model, SharedInput::kO), (std::array<std::size_t, 2>{3, 7}));
  try {
    factor_sizes(model, SharedInput::kDown);
    FAIL() << "a prime width was accepted";
  } catch (const ConfigError& error) {
    EXPECT_THAT(error.what(), ::testing::HasSubstr("down: "));
    EXPECT_THAT(error.what(), ::testing::HasSubstr("89"));
  }
}

}  // namespace
}  // namespace btc
