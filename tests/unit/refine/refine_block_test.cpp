#include "refine/refine_block.hpp"

#include <gmock/gmock.h>

#include <cmath>
#include <limits>

#include "refine_fixture.hpp"

namespace btc {
namespace {

using test::RefineFixture;

void ignore_epoch(int /*epoch*/, double /*loss*/) {}

class RefineBlock : public ::testing::Test {
 protected:
  RefineReport refine(ScaledBlock& block, const RefineParams& params,
                      const EpochReport& report = ignore_epoch) const {
    return refine_block(fixture_.model->config(), fixture_.original, block, 16,
                        fixture_.sequences(), params, 7, report);
  }
  const RefineFixture fixture_{"qwen3"};
};

TEST_F(RefineBlock, LowersTheHeldOutErrorAndKeepsSigns) {
  ScaledBlock block = fixture_.block();
  std::vector<double> losses;
  const RefineReport report =
      refine(block, {.block_epochs = 4, .block_learning_rate = 0.03}, [&](int epoch, double loss) {
        losses.push_back(loss);
        EXPECT_EQ(static_cast<std::size_t>(epoch), losses.size());
      });
  EXPECT_LT(report.end, 0.99 * report.start);
  EXPECT_EQ(report.end, *std::min_element(losses.begin(), losses.end()));
  EXPECT_EQ(report.recoveries, 0);
  const ScaledBlock start = fixture_.block();
  for (std::size_t i = 0; i < start.linear().size(); ++i) {
    EXPECT_EQ(block.linear().at(i).signs, start.linear().at(i).signs);
    EXPECT_NE(block.linear().at(i).alpha, start.linear().at(i).alpha);
  }
  EXPECT_NE(block.rest().input_norm, fixture_.original.input_norm);
}

TEST_F(RefineBlock, LeavesFp16Values) {
  ScaledBlock block = fixture_.block();
  refine(block, {.block_epochs = 1});
  for (const float value : block.linear()[4].alpha.values()) {
    EXPECT_EQ(value, round_to_fp16(value));
  }
}

TEST_F(RefineBlock, GivesTheSameValuesAgain) {
  ScaledBlock first = fixture_.block();
  ScaledBlock second = fixture_.block();
  refine(first, {.block_epochs = 2});
  refine(second, {.block_epochs = 2});
  EXPECT_EQ(first.linear(), second.linear());
  EXPECT_EQ(first.rest().input_norm, second.rest().input_norm);
}

TEST_F(RefineBlock, ReturnsTheStartWhenEveryEpochIsWorse) {
  ScaledBlock block = fixture_.block();
  const RefineReport report = refine(block, {.block_epochs = 2, .block_learning_rate = 1});
  EXPECT_EQ(report.best_epoch, 0);
  EXPECT_EQ(report.end, report.start);
  EXPECT_EQ(block.linear(), fixture_.block().linear());
}

// Signs of the latent start are not those that were encoded, where compensation or a codebook has
// moved these away from the weights.
TEST_F(RefineBlock, ReturnsEncodedSignsWhenTrainingThemIsWorse) {
  ScaledBlock::Linears linears = fixture_.block().linear();
  for (QuantizedLinear& linear : linears) {
    for (std::size_t j = 0; j < linear.cols; j += 3) {
      linear.signs.set(0, j, !linear.signs.get(0, j));
    }
  }
  const ScaledBlock encoded(linears, fixture_.original);
  ScaledBlock untrained = encoded;
  const RefineReport expected = refine(untrained, {.block_epochs = 0});
  ScaledBlock block = encoded;
  std::vector<LatentSigns> latent;
  for (std::size_t i = 0; i < linears.size(); ++i) {
    latent.emplace_back(linears.at(i), fixture_.original.linear.at(i).view(), nullptr);
  }
  block.train_signs(std::move(latent), 1);
  block.set(std::vector<float>(block.size()));
  EXPECT_NE(block.linear(), linears) << "the latent start chooses the same signs: a weak test";
  const RefineReport report = refine(block, {.block_epochs = 1, .block_learning_rate = 3});
  EXPECT_EQ(report.best_epoch, 0);
  EXPECT_EQ(report.start, expected.start);
  EXPECT_EQ(block.linear(), linears);
  EXPECT_EQ(block.rest().input_norm, fixture_.original.input_norm);
}

TEST_F(RefineBlock, RecoversFromAStepThatIsNotFinite) {
  int calls = 0;
  const OpenSequences open = [&](const std::vector<std::size_t>& order) -> SequenceStream {
    return [this, &calls, order, next = std::size_t{0}]() mutable {
      Matrix<float> sequence = fixture_.sequence(order.at(next++));
      if (++calls == 9) {  // after the 2 held-out ones: in the second step
        sequence(0, 0) = std::numeric_limits<float>::quiet_NaN();
      }
      return sequence;
    };
  };
  ScaledBlock block = fixture_.block();
  const RefineReport report =
      refine_block(fixture_.model->config(), fixture_.original, block, 16, open,
                   {.block_epochs = 3, .block_learning_rate = 0.03}, 7, ignore_epoch);
  EXPECT_EQ(report.recoveries, 1);
  EXPECT_LT(report.end, report.start);
  for (const float value : block.linear()[4].alpha.values()) {
    EXPECT_TRUE(std::isfinite(value));
  }
}

TEST_F(RefineBlock, WorksWithASingleSequence) {
  ScaledBlock block = fixture_.block();
  const RefineReport report =
      refine_block(fixture_.model->config(), fixture_.original, block, 1, fixture_.sequences(),
                   {.block_epochs = 5, .block_learning_rate = 0.02}, 7, ignore_epoch);
  EXPECT_LT(report.end, report.start);
}

}  // namespace
}  // namespace btc
