#include "refine/block_loss.hpp"

#include <gmock/gmock.h>

#include <array>
#include <cmath>

#include "refine_fixture.hpp"

namespace btc {
namespace {

using test::RefineFixture;

class BlockLoss : public ::testing::Test {
 protected:
  BlockLoss() {
    // So that nothing of the block is exact, and the error differs from channel to channel.
    Rng rng(5);
    for (Matrix<float>& linear : present_.linear) {
      for (float& value : linear.values()) {
        value *= 1 + 0.2F * static_cast<float>(rng.normal());
      }
    }
    for (std::size_t c = 0; c < config_.hidden; ++c) {
      uneven_.push_back(c % 3 == 0 ? 0.0F : 0.25F * static_cast<float>(c % 7));
    }
  }
  [[nodiscard]] double relative(const BlockWeights& weights,
                                std::span<const float> channel_weights) {
    return relative_block_error({original_, channel_weights}, BlockForward(config_, weights),
                                fixture_.sequences(), {0, 1});
  }
  [[nodiscard]] BlockWeights gradient(std::span<const float> channel_weights) {
    return log_error_gradient(config_, {original_, channel_weights}, present_,
                              fixture_.sequences()({0, 1}), std::array<std::size_t, 2>{0, 1});
  }
  /// Of the weighted sums, computed here.
  [[nodiscard]] double expected(std::span<const float> channel_weights) const {
    const BlockForward original(config_, fixture_.original);
    const BlockForward block(config_, present_);
    double error = 0;
    double energy = 0;
    for (const std::size_t s : {0U, 1U}) {
      const Matrix<float> input = fixture_.sequence(s);
      const Matrix<float> wanted = original.run(input.view());
      const Matrix<float> output = block.run(input.view());
      for (std::size_t t = 0; t < input.rows(); ++t) {
        for (std::size_t c = 0; c < input.cols(); ++c) {
          const auto weight = static_cast<double>(channel_weights[c]);
          error += weight * std::pow(static_cast<double>(output(t, c) - wanted(t, c)), 2);
          energy += weight * std::pow(static_cast<double>(wanted(t, c) - input(t, c)), 2);
        }
      }
    }
    return error / energy;
  }

  const RefineFixture fixture_{"qwen3"};
  const ModelConfig config_ = fixture_.model->config();
  KeptOutputs original_{BlockForward(config_, fixture_.original)};
  BlockWeights present_ = fixture_.original;
  std::vector<float> uneven_;
};

TEST_F(BlockLoss, WeighsTheSquareOfEveryChannel) {
  const double found = relative(present_, uneven_);
  EXPECT_NEAR(found, expected(uneven_), 1e-5 * found);
  EXPECT_GT(std::abs(found - relative(present_, {})), 1e-3 * found);
}

TEST_F(BlockLoss, OfOnesIsThePlainOneBitForBit) {
  const std::vector<float> ones(config_.hidden, 1.0F);
  EXPECT_EQ(relative(present_, ones), relative(present_, {}));
  EXPECT_EQ(gradient(ones).linear, gradient({}).linear);
}

// Channel c of the output is moved by row c of o_proj and of down_proj alone; through the norm, o
// moves the others too.
TEST_F(BlockLoss, IgnoresChannelsOfWeightZero) {
  const std::size_t down = index_of(LinearKind::kDown);
  const double before = relative(present_, uneven_);
  const double plain_before = relative(present_, {});
  BlockWeights moved = present_;
  for (float& value : moved.linear.at(down).row(3)) {
    value += 1;
  }
  EXPECT_EQ(relative(moved, uneven_), before);
  EXPECT_GT(relative(moved, {}), plain_before);
  const Matrix<float> found = gradient(uneven_).linear.at(down);
  EXPECT_THAT(found.row(3), ::testing::Each(0.0F));
  EXPECT_THAT(found.row(4), ::testing::Contains(::testing::Ne(0.0F)));
}

TEST_F(BlockLoss, GradientIsTheSlopeOfTheLogarithmOfTheWeightedError) {
  const BlockWeights found = gradient(uneven_);
  constexpr double kStep = 1e-3;
  for (const std::size_t i : {0U, 3U, 6U}) {
    const std::size_t e = present_.linear.at(i).size() / 2 + 1;
    BlockWeights moved = present_;
    moved.linear.at(i).values()[e] += static_cast<float>(kStep);
    const double plus = relative(moved, uneven_);
    moved.linear.at(i).values()[e] -= static_cast<float>(2 * kStep);
    const double slope = (std::log(plus) - std::log(relative(moved, uneven_))) / (2 * kStep);
    EXPECT_NEAR(static_cast<double>(found.linear.at(i).values()[e]), slope,
                0.02 * std::abs(slope) + 1e-4)
        << "Linear " << i;
  }
}

TEST_F(BlockLoss, RefusesAnotherNumberOfWeights) {
  const std::vector<float> short_of_one(config_.hidden - 1, 1.0F);
  EXPECT_THROW((void)relative(present_, short_of_one), Error);
}

}  // namespace
}  // namespace btc
