#include "refine/tune_dense.hpp"

#include <gmock/gmock.h>

#include <limits>

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
    return tune_dense(fixture_.model->config(), original_, present_, encoded_, {}, 16,
                      fixture_.sequences(), params, 3);
  }

  const RefineFixture fixture_{"qwen3"};
  const BlockForward original_{fixture_.model->config(), fixture_.original};
  BlockWeights present_ = fixture_.original;
  ScaledBlock::Linears encoded_;
};

TEST_F(TuneDense, AbsorbsErrorAndKeepsSigns) {
  const BlockWeights before = present_;
  const ScaledBlock::Linears start = encoded_;
  const DenseReport report = tune({.dense_epochs = 4, .dense_learning_rate = 0.02});
  EXPECT_GT(report.start, 0);
  EXPECT_LT(report.end, 0.97 * report.start);
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

TEST_F(TuneDense, RecoversFromAnEpochThatIsNotFinite) {
  int calls = 0;
  const OpenSequences open = [&](const std::vector<std::size_t>& order) -> SequenceStream {
    return [this, &calls, order, next = std::size_t{0}]() mutable {
      Matrix<float> sequence = fixture_.sequence(order.at(next++));
      if (++calls == 9) {
        sequence(0, 0) = std::numeric_limits<float>::quiet_NaN();
      }
      return sequence;
    };
  };
  const DenseReport report =
      tune_dense(fixture_.model->config(), original_, present_, encoded_, {}, 16, open,
                 {.dense_epochs = 3, .dense_learning_rate = 0.02}, 3);
  EXPECT_LT(report.end, report.start);
}

}  // namespace
}  // namespace btc
