#include "refine/tune_dense.hpp"

#include <gmock/gmock.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <span>
#include <vector>

#include "refine/sequence_order.hpp"
#include "refine_fixture.hpp"

namespace btc {
namespace {

using test::RefineFixture;

/// A block whose q_proj and gate_proj are quantized already.
class TuneDense : public ::testing::Test {
 protected:
  TuneDense() {
    for (const std::size_t i : {0U, 4U}) {
      encoded_.at(i) = test::signs_of(present_.linear.at(i));
      present_.linear.at(i) = dequantize(encoded_.at(i));
    }
  }
  DenseReport tune(const RefineParams& params) {
    return tune_dense(fixture_.model->config(), {original_}, present_, encoded_, {}, 16,
                      fixture_.sequences(), params, 3);
  }
  /// On 128 sequences that repeat 16, so that those held out are trained on too: it shows what is
  /// fitted, without what carries over.
  DenseReport fit(std::span<const float> channel_weights) {
    return tune_dense(fixture_.model->config(), {original_, channel_weights}, present_, encoded_,
                      {}, 128, repeated_, {.dense_epochs = 3, .dense_learning_rate = 0.02}, 3);
  }
  [[nodiscard]] double fitted_error(std::span<const float> channel_weights) {
    return relative_block_error({original_, channel_weights},
                                BlockForward(fixture_.model->config(), present_), repeated_,
                                split_sequences(128).held_out);
  }

  const RefineFixture fixture_{"qwen3"};
  KeptOutputs original_{BlockForward(fixture_.model->config(), fixture_.original)};
  BlockWeights present_ = fixture_.original;
  ScaledBlock::Linears encoded_;
  const OpenSequences repeated_ = [this](const std::vector<std::size_t>& order) -> SequenceStream {
    return [this, order, next = std::size_t{0}]() mutable {
      return fixture_.sequence(order.at(next++) % 16);
    };
  };
};

TEST_F(TuneDense, AbsorbsErrorAndKeepsSigns) {
  const BlockWeights before = present_;
  const ScaledBlock::Linears start = encoded_;
  const DenseReport report = tune({.dense_epochs = 4, .dense_learning_rate = 0.02});
  EXPECT_GT(report.start, 0);
  EXPECT_LT(report.end, 0.97 * report.start);
  EXPECT_EQ(report.recoveries, 0);
  for (std::size_t i = 0; i < before.linear.size(); ++i) {
    EXPECT_NE(present_.linear.at(i), before.linear.at(i)) << "Linear " << i;
    EXPECT_EQ(encoded_.at(i).signs, start.at(i).signs);
    if (encoded_.at(i).rows > 0) {
      EXPECT_EQ(present_.linear.at(i), dequantize(encoded_.at(i))) << "Linear " << i;
      EXPECT_EQ(encoded_.at(i).alpha(0, 0), round_to_fp16(encoded_.at(i).alpha(0, 0)));
    }
  }
  EXPECT_EQ(present_.input_norm, before.input_norm);
}

TEST_F(TuneDense, KeepsTheStartWhenEveryEpochIsWorse) {
  const BlockWeights before = present_;
  const DenseReport report = tune({.dense_epochs = 2, .dense_learning_rate = 1});
  EXPECT_EQ(report.end, report.start);
  EXPECT_EQ(present_.linear, before.linear);
}

TEST_F(TuneDense, GivesTheSameWeightsAgain) {
  const BlockWeights before = present_;
  const ScaledBlock::Linears start = encoded_;
  tune({.dense_epochs = 1});
  const auto first = present_.linear;
  present_ = before;
  encoded_ = start;
  tune({.dense_epochs = 1});
  EXPECT_EQ(present_.linear, first);
}

TEST_F(TuneDense, LowersTheErrorOfTheChannelsThatCount) {
  const BlockWeights before = present_;
  const ScaledBlock::Linears start = encoded_;
  std::vector<float> weights(fixture_.model->config().hidden, 0.1F);
  weights[0] = weights[1] = 17;
  const DenseReport weighted = fit(weights);
  EXPECT_EQ(weighted.end, fitted_error(weights));
  EXPECT_LT(weighted.end, 0.6 * weighted.start);
  present_ = before;
  encoded_ = start;
  EXPECT_EQ(weighted.start, fitted_error(weights));
  fit({});
  EXPECT_GT(fitted_error(weights), 1.2 * weighted.end) << "trained for all channels alike";
}

TEST_F(TuneDense, GoesThePlainWayBitForBitWhenAllChannelsCountOne) {
  const BlockWeights before = present_;
  const ScaledBlock::Linears start = encoded_;
  const DenseReport plain = fit({});
  const BlockWeights expected = present_;
  const ScaledBlock::Linears expected_encoded = encoded_;
  present_ = before;
  encoded_ = start;
  const std::vector<float> ones(fixture_.model->config().hidden, 1.0F);
  const DenseReport report = fit(ones);
  EXPECT_LT(report.end, report.start);
  EXPECT_EQ(report.start, plain.start);
  EXPECT_EQ(report.end, plain.end);
  EXPECT_EQ(present_.linear, expected.linear);
  EXPECT_EQ(encoded_, expected_encoded);
}

/// Something of the sequence that is handed out as number `bad` is not finite.
class TuneDenseOnABadSequence : public TuneDense {
 protected:
  DenseReport tune_past(int bad, int epochs) {
    int calls = 0;
    const OpenSequences open = [&](const std::vector<std::size_t>& order) -> SequenceStream {
      return [&calls, bad, good = repeated_(order)] {
        Matrix<float> sequence = good();
        if (++calls == bad) {
          sequence(0, 0) = std::numeric_limits<float>::quiet_NaN();
        }
        return sequence;
      };
    };
    const DenseReport report =
        tune_dense(fixture_.model->config(), {original_}, present_, encoded_, {}, kSequences, open,
                   {.dense_epochs = epochs, .dense_learning_rate = 0.02}, 3);
    for (const Matrix<float>& linear : present_.linear) {
      EXPECT_TRUE(std::all_of(linear.values().begin(), linear.values().end(),
                              [](float value) { return std::isfinite(value); }));
    }
    return report;
  }
  static constexpr int kSequences = 128;
  static constexpr int kHeldOut = kSequences / 8;
};

// The only epoch has 28 steps; those after the bad one still count.
TEST_F(TuneDenseOnABadSequence, TheStepIsLeftOutAndTheEpochGoesOn) {
  const DenseReport report = tune_past(kHeldOut + 10, 1);
  EXPECT_EQ(report.recoveries, 1);
  EXPECT_LT(report.end, 0.95 * report.start);
}

TEST_F(TuneDenseOnABadSequence, AnEpochThatCannotBeJudgedIsLeftOut) {
  const DenseReport report = tune_past(kSequences + 1, 2);
  EXPECT_EQ(report.recoveries, 1);
  EXPECT_LT(report.end, 0.95 * report.start) << "by the second epoch";
}

}  // namespace
}  // namespace btc
