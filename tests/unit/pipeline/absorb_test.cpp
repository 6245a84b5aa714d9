#include "pipeline/absorb.hpp"

#include <gmock/gmock.h>

#include <array>
#include <limits>
#include <memory>
#include <numeric>
#include <vector>

#include "unit/refine/refine_fixture.hpp"

namespace btc {
namespace {

/// A block of a golden model that is encoded Linear by Linear: here by the signs of its weights.
class AbsorbErrors : public ::testing::Test {
 protected:
  AbsorbErrors() {
    config_.calibration.samples = 16;
    config_.refine.dense_epochs = 1;
    config_.refine.dense_learning_rate = 0.01;
  }
  /// Encodes the Linears before `kind` and prepares for it.
  void prepare(LinearKind kind) {
    const PrepareLinear call = absorb_errors(
        fixture_.model->config(), fixture_.original, online_, open_,
        std::vector<float>(fixture_.model->config().hidden, 1.0F), config_, 3, *backend_, {});
    for (std::size_t i = 0; i < index_of(kind); ++i) {
      encoded_.linear.at(i) = test::signs_of(present_.linear.at(i));
      present_.linear.at(i) = dequantize(encoded_.linear.at(i));
    }
    call(kind, present_, encoded_, factor_);
  }
  /// The factor of an input as the present block makes it.
  [[nodiscard]] Matrix<float> expected_factor(SharedInput input) const {
    std::vector<std::size_t> order(config_.calibration.samples);
    std::iota(order.begin(), order.end(), std::size_t{0});
    auto hessians = mean_hessians(fixture_.model->config(), present_, std::array{input},
                                  fixture_.sequences()(order), order.size(), {});
    return factor_inputs(hessians.at(index_of(input)), config_.binarize, config_.codebook,
                         *backend_)
        .u;
  }

  const test::RefineFixture fixture_{"qwen3"};
  const OnlineFactors online_;
  const std::unique_ptr<Backend> backend_ = make_reference_backend();
  OpenSequences open_ = fixture_.sequences();
  PipelineConfig config_;
  BlockWeights present_ = fixture_.original;
  EncodedBlock encoded_;
  HessianFactor factor_;
};

TEST_F(AbsorbErrors, BeforeTheFirstLinearThereIsNothingToDo) {
  prepare(LinearKind::kQ);
  EXPECT_EQ(present_.linear, fixture_.original.linear);
  EXPECT_TRUE(factor_.u.empty());
}

TEST_F(AbsorbErrors, TheInputOfQKAndVIsNotMeasuredAgain) {
  for (const LinearKind kind : {LinearKind::kK, LinearKind::kV}) {
    prepare(kind);
    EXPECT_TRUE(factor_.u.empty()) << name_of(kind);
  }
  EXPECT_NE(present_.linear.at(6), fixture_.original.linear.at(6)) << "still dense, and trained";
}

// Tuning before `up` moves scales of o, and so the input that gate and up share.
TEST_F(AbsorbErrors, EveryInputBehindThemIsMeasuredAfterTuning) {
  for (const LinearKind kind :
       {LinearKind::kO, LinearKind::kGate, LinearKind::kUp, LinearKind::kDown}) {
    factor_ = {};
    prepare(kind);
    EXPECT_EQ(factor_.u, expected_factor(input_of(kind))) << name_of(kind);
  }
}

TEST_F(AbsorbErrors, StepsThatAreNotFiniteAreCountedForTheBlock) {
  int calls = 0;
  open_ = [&](const std::vector<std::size_t>& order) -> SequenceStream {
    return [&calls, good = fixture_.sequences()(order)] {
      Matrix<float> sequence = good();
      if (++calls == 9) {  // 1 and 2 judge the start
        sequence(0, 0) = std::numeric_limits<float>::quiet_NaN();
      }
      return sequence;
    };
  };
  encoded_.recoveries = 4;  // of the Linears before
  prepare(LinearKind::kK);
  EXPECT_EQ(encoded_.recoveries, 5);
  EXPECT_EQ(describe_recoveries(encoded_.recoveries), ", 5 steps not finite");
  EXPECT_EQ(describe_recoveries(0), "");
}

}  // namespace
}  // namespace btc
