#include "model/kept_outputs.hpp"

#include <gmock/gmock.h>

#include <filesystem>
#include <memory>
#include <vector>

#include "model/block_gradient.hpp"
#include "model/checkpoint.hpp"
#include "support/random_matrix.hpp"

namespace btc {
namespace {

constexpr std::size_t kTokens = 20;

class KeptOutputsTest : public ::testing::Test {
 protected:
  KeptOutputsTest() {
    for (Matrix<float>& linear : present_.linear) {
      linear.values()[1] += 0.5F;
    }
  }
  [[nodiscard]] std::uint64_t bytes() const { return kTokens * config_.hidden * sizeof(float); }
  [[nodiscard]] KeptOutputs keep(std::uint64_t most_bytes) const {
    return {BlockForward(config_, original_), most_bytes};
  }
  [[nodiscard]] Matrix<float> sequence(std::size_t number) const {
    return test::random_matrix(kTokens, config_.hidden, number);
  }
  OutputSquares compare(KeptOutputs& outputs, std::size_t number) const {
    return outputs.compare(number, sequence(number).view(), BlockForward(config_, present_), {});
  }
  double add_error(KeptOutputs& outputs, std::size_t number, BlockWeights& sums) const {
    BlockBackward present(config_, present_);
    const Matrix<float> input = sequence(number);
    const double error = present.add_squared_error(outputs, number, input.view(), {});
    sums = zeros_like(present_);
    present.take_gradients(sums);
    return error;
  }

  const std::unique_ptr<Checkpoint> checkpoint_ =
      Checkpoint::open(std::filesystem::path(BTC_SOURCE_DIR) / "tests/golden/models/qwen3");
  const ModelConfig config_ = checkpoint_->config();
  const BlockWeights original_ = checkpoint_->load_block(0);
  BlockWeights present_ = original_;
};

TEST_F(KeptOutputsTest, RunsTheBlockOnceForEachSequence) {
  KeptOutputs outputs = keep(4 * bytes());
  for (const std::size_t number : {7U, 3U, 7U, 7U, 3U}) {
    (void)compare(outputs, number);
  }
  EXPECT_EQ(outputs.runs(), 2U);
}

TEST_F(KeptOutputsTest, KeepsNoMoreThanItMay) {
  KeptOutputs outputs = keep(2 * bytes() + bytes() / 2);
  for (int round = 0; round < 3; ++round) {
    for (const std::size_t number : {0U, 1U, 2U}) {
      (void)compare(outputs, number);
    }
  }
  EXPECT_EQ(outputs.runs(), 3U + 2U);  // the third anew in every round
}

TEST_F(KeptOutputsTest, KeptOrNotTheBitsAreTheSame) {
  KeptOutputs kept = keep(bytes());
  KeptOutputs anew = keep(0);
  BlockWeights kept_gradient;
  BlockWeights gradient;
  for (int round = 0; round < 2; ++round) {
    const OutputSquares found = compare(kept, 5);
    const OutputSquares expected = compare(anew, 5);
    EXPECT_EQ(found.error, expected.error);
    EXPECT_EQ(found.added, expected.added);
    EXPECT_EQ(add_error(kept, 5, kept_gradient), add_error(anew, 5, gradient));
    EXPECT_EQ(kept_gradient.linear, gradient.linear);
    EXPECT_EQ(found.error, add_error(kept, 5, kept_gradient));
  }
  EXPECT_EQ(kept.runs(), 1U);
  EXPECT_EQ(anew.runs(), 4U);
}

TEST_F(KeptOutputsTest, RefusesANumberOfAnotherSequence) {
  KeptOutputs outputs = keep(bytes());
  (void)compare(outputs, 1);
  const Matrix<float> longer = test::random_matrix(kTokens + 1, config_.hidden, 1);
  EXPECT_THROW((void)outputs.compare(1, longer.view(), BlockForward(config_, present_), {}), Error);
}

}  // namespace
}  // namespace btc
