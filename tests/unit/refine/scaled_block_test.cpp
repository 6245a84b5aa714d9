#include "refine/scaled_block.hpp"

#include <gmock/gmock.h>

#include "common/int8_scales.hpp"
#include "model/block_gradient.hpp"
#include "refine_fixture.hpp"

namespace btc {
namespace {

using test::RefineFixture;

class ScaledBlockTest : public ::testing::TestWithParam<const char*> {
 protected:
  const RefineFixture fixture_{GetParam()};
  ScaledBlock block_ = fixture_.block();

  void expect_gradients_of_the_sum();
};

TEST_P(ScaledBlockTest, StartsAsTheStoredBlockBitForBit) {
  block_.set(std::vector<float>(block_.size()));
  const ScaledBlock untouched = fixture_.block();
  EXPECT_EQ(block_.linear(), untouched.linear());
  const BlockWeights dense = block_.weights();
  for (std::size_t i = 0; i < dense.linear.size(); ++i) {
    EXPECT_EQ(dense.linear.at(i), dequantize(untouched.linear().at(i))) << i;
  }
  EXPECT_EQ(dense.input_norm, fixture_.original.input_norm);
  EXPECT_EQ(dense.post_attention_norm, fixture_.original.post_attention_norm);
  EXPECT_EQ(dense.q_norm, fixture_.original.q_norm);
  EXPECT_EQ(dense.bias, fixture_.original.bias);
}

TEST_P(ScaledBlockTest, ChangesAreShares) {
  block_.set(std::vector<float>(block_.size(), 0.5F));
  const ScaledBlock before = fixture_.block();
  EXPECT_FLOAT_EQ(block_.linear()[2].alpha(3, 0), 1.5F * before.linear()[2].alpha(3, 0));
  EXPECT_FLOAT_EQ(block_.linear()[6].alpha_col[1], 1.5F);
  EXPECT_FLOAT_EQ(block_.rest().input_norm[2], 1.5F * fixture_.original.input_norm[2]);
  EXPECT_EQ(block_.linear()[2].signs, before.linear()[2].signs);
  EXPECT_THROW(block_.set(std::vector<float>(3)), Error);
}

TEST_P(ScaledBlockTest, RoundsEverythingToFp16) {
  block_.set(std::vector<float>(block_.size(), 0.1F));
  block_.round();
  for (const float alpha : block_.linear()[0].alpha.values()) {
    EXPECT_EQ(alpha, round_to_fp16(alpha));
  }
  for (const float gain : block_.rest().post_attention_norm) {
    EXPECT_EQ(gain, round_to_fp16(gain));
  }
}

TEST_P(ScaledBlockTest, RoundsScalesToEightBitsWhereTheyAreStoredSo) {
  ScaledBlock::Linears linears = block_.linear();
  linears[1].int8_scales = true;
  ScaledBlock block(std::move(linears), fixture_.original);
  block.set(std::vector<float>(block.size(), 0.07F));
  block.round();
  const auto unrounded = [](std::vector<float> values) {
    const std::vector<float> before = values;
    round_to_int8(values);
    return values != before;
  };
  EXPECT_FALSE(unrounded(block.linear()[1].alpha.values()));
  EXPECT_FALSE(unrounded(block.linear()[1].alpha_col));
  EXPECT_TRUE(unrounded(block.linear()[0].alpha.values()));
}

// Every dL/dw = 1: the slope of the sum of all weights and norm gains.
void ScaledBlockTest::expect_gradients_of_the_sum() {
  BlockWeights ones = zeros_like(fixture_.original);
  for (Matrix<float>& linear : ones.linear) {
    std::fill(linear.values().begin(), linear.values().end(), 1.0F);
  }
  for (auto* norm : {&ones.input_norm, &ones.post_attention_norm, &ones.q_norm, &ones.k_norm}) {
    std::fill(norm->begin(), norm->end(), 1.0F);
  }
  const auto total = [&] {
    double sum = 0;
    const BlockWeights dense = block_.weights();
    for (const Matrix<float>& linear : dense.linear) {
      sum += std::accumulate(linear.values().begin(), linear.values().end(), 0.0);
    }
    for (const auto* norm :
         {&dense.input_norm, &dense.post_attention_norm, &dense.q_norm, &dense.k_norm}) {
      sum += std::accumulate(norm->begin(), norm->end(), 0.0);
    }
    return sum;
  };
  std::vector<float> gradient(block_.size());
  block_.add_gradient(ones, gradient);
  std::vector<float> change(block_.size());
  for (std::size_t k = 0; k < change.size(); k += 37) {
    change[k] = 0.5F;
    block_.set(change);
    const double plus = total();
    change[k] = -0.5F;
    block_.set(change);
    EXPECT_NEAR(gradient[k], plus - total(), 1e-4) << "change " << k;
    change[k] = 0;
  }
}

TEST_P(ScaledBlockTest, GradientsFollowTheOrderOfTheChanges) { expect_gradients_of_the_sum(); }

TEST_P(ScaledBlockTest, GradientsComeBackThroughATransform) {
  const ModelConfig& model = fixture_.model->config();
  OnlineFactors online;
  for (const SharedInput input : kSharedInputs) {
    const std::size_t width = input_width(model, input);
    online.at(index_of(input)).p1 = round_factor(random_orthogonal(2, 3));
    online.at(index_of(input)).p2 = round_factor(random_orthogonal(width / 2, 4));
  }
  const BlockWeights plain = block_.weights();
  block_ = {ScaledBlock::Linears(block_.linear()), fixture_.original, NormGains::kTrained, online};
  EXPECT_NE(block_.weights().linear, plain.linear);
  expect_gradients_of_the_sum();
}

// Latent weights come last; the gradient of the dense weights goes straight through to them.
TEST_P(ScaledBlockTest, TrainsSigns) {
  const std::size_t scales = block_.size();
  std::vector<LatentSigns> latent;
  for (std::size_t i = 0; i < block_.linear().size(); ++i) {
    latent.emplace_back(block_.linear().at(i), fixture_.original.linear.at(i).view(), nullptr);
  }
  const float unit = latent.at(0).unit();
  block_.train_signs(std::move(latent), 3);
  const Matrix<float>& first = fixture_.original.linear[0];
  EXPECT_GT(block_.size(), scales + first.size());

  std::vector<float> change(block_.size());
  change[scales + 1] = first(0, 1) > 0 ? -100.0F : 100.0F;
  block_.set(change);
  const ScaledBlock before = fixture_.block();
  EXPECT_NE(block_.linear()[0].signs.get(0, 1), before.linear()[0].signs.get(0, 1));
  EXPECT_EQ(block_.linear()[0].signs.get(0, 0), before.linear()[0].signs.get(0, 0));
  EXPECT_EQ(block_.linear()[1], before.linear()[1]);

  BlockWeights gradient = zeros_like(fixture_.original);
  gradient.linear[0](0, 1) = 2;
  std::vector<float> sums(block_.size());
  block_.add_gradient(gradient, sums);
  EXPECT_FLOAT_EQ(sums[scales + 1], 2 * 3 * unit);
  EXPECT_EQ(sums[scales + 2], 0);
}

INSTANTIATE_TEST_SUITE_P(Models, ScaledBlockTest, ::testing::Values("llama_untied_bias", "qwen3"));

}  // namespace
}  // namespace btc
