#include "learn/learn_transform.hpp"

#include <gmock/gmock.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <limits>
#include <span>
#include <vector>

#include "common/rng.hpp"
#include "model/checkpoint.hpp"
#include "refine/sequence_order.hpp"

namespace btc {
namespace {

class LearnTransform : public ::testing::Test {
 protected:
  LearnTransform() {
    params_.kind = TransformKind::kFlatQuant;
    binarize_.split_points = 1;
    schedule_.epochs = 3;
    schedule_.learning_rate = 5e-3;
    schedule_.batch = 2;
    schedule_.cosine = true;
  }
  [[nodiscard]] TransformedBlock block() const {
    return {checkpoint_->config(), original_, params_, binarize_, 16, 5};
  }
  [[nodiscard]] TrainingState begin(TransformedBlock& trained) const {
    return begin_learning(problem_, schedule_, trained);
  }
  void learn(TransformedBlock& trained, TrainingState& state, const LearnReport& report) const {
    learn_transform(problem_, schedule_, params_, trained, state, report);
  }
  static void ignore(const LearnProgress& /*progress*/, const TrainingState& /*state*/) {}

  const std::unique_ptr<Checkpoint> checkpoint_ = Checkpoint::open(
      std::filesystem::path(BTC_SOURCE_DIR) / "tests/golden/models/llama_gqa_llama3");
  BlockWeights original_ = checkpoint_->load_block(0);
  const OpenSequences open_ = [this](const std::vector<std::size_t>& order) -> SequenceStream {
    return [this, order, next = std::size_t{0}]() mutable {
      Rng rng(derive_seed(9, "sequence", order.at(next)));
      Matrix<float> hidden(32, checkpoint_->config().hidden);
      for (float& value : hidden.values()) {
        value = static_cast<float>(rng.normal());
      }
      if (order.at(next++) == planted_nan_) {
        hidden(0, 0) = std::numeric_limits<float>::quiet_NaN();
      }
      return hidden;
    };
  };
  const LearnProblem problem_{.model = checkpoint_->config(),
                              .original = original_,
                              .sequences = 16,
                              .open = open_,
                              .vector_length = 8,
                              .seed = 3};
  std::size_t planted_nan_ = std::numeric_limits<std::size_t>::max();
  TransformParams params_;
  BinarizeParams binarize_;
  LearnSchedule schedule_;
};

/// Weights of which some columns are large: a binarized row then serves these alone.
BlockWeights with_outliers(BlockWeights weights) {
  for (Matrix<float>& own : weights.linear) {
    for (std::size_t i = 0; i < own.rows(); ++i) {
      for (std::size_t j = 0; j < own.cols(); j += 8) {
        own(i, j) *= 4;
      }
    }
  }
  return weights;
}

TEST_F(LearnTransform, LowersTheHeldOutError) {
  params_.start = TransformStart::kIdentity;
  original_ = with_outliers(original_);
  binarize_.split_points = 0;
  schedule_.learning_rate = 1e-2;
  TransformedBlock trained = block();
  TrainingState state = begin(trained);
  const double start = state.best_loss;
  int epochs = 0;
  learn(trained, state, [&](const LearnProgress& progress, const TrainingState& present) {
    EXPECT_EQ(progress.epoch, ++epochs);
    EXPECT_LE(present.best_loss, progress.error);
    EXPECT_GT(progress.distance, 0);
  });
  EXPECT_EQ(epochs, 3);
  EXPECT_LT(state.best_loss, 0.95 * start);
  EXPECT_GT(state.best_epoch, 0);
}

TEST_F(LearnTransform, GoesOnFromAnyEpoch) {
  TransformedBlock once = block();
  TrainingState whole = begin(once);
  learn(once, whole, ignore);

  TransformedBlock first = block();
  TrainingState state = begin(first);
  TrainingState after_one;
  learn(first, state, [&](const LearnProgress& progress, const TrainingState& present) {
    if (progress.epoch == 1) {
      after_one = present;
    }
  });
  TransformedBlock second = block();
  learn(second, after_one, ignore);
  EXPECT_EQ(after_one.change, whole.change);
  EXPECT_EQ(best_transform(after_one, second), best_transform(whole, once));
}

TEST_F(LearnTransform, RecoversFromAStepThatIsNotFinite) {
  planted_nan_ = 5;  // one of those that are trained on
  TransformedBlock trained = block();
  TrainingState state = begin(trained);
  const double start = state.best_loss;
  learn(trained, state, ignore);
  EXPECT_EQ(state.recoveries, 3);  // once an epoch
  EXPECT_LE(state.best_loss, start);
  EXPECT_DOUBLE_EQ(state.rate, schedule_.learning_rate / 8);
  for (const InputTransform& own : best_transform(state, trained)) {
    EXPECT_TRUE(
        std::ranges::all_of(own.factors.p1.values(), [](float v) { return std::isfinite(v); }));
  }
}

TEST_F(LearnTransform, NeverEndsWorseThanItsStart) {
  schedule_.learning_rate = 3;  // ruins the factors at once
  TransformedBlock trained = block();
  TrainingState state = begin(trained);
  const double start = state.best_loss;
  learn(trained, state, ignore);
  EXPECT_EQ(state.best_epoch, 0);
  EXPECT_EQ(state.best_loss, start);
  TransformedBlock untouched = block();
  TrainingState none = begin(untouched);
  EXPECT_EQ(best_transform(state, trained), best_transform(none, untouched));
}

TEST_F(LearnTransform, PatienceEndsALearningThatGainsNothing) {
  schedule_.learning_rate = 3;
  schedule_.epochs = 9;
  schedule_.patience = 2;
  TransformedBlock trained = block();
  TrainingState state = begin(trained);
  learn(trained, state, ignore);
  EXPECT_EQ(state.epochs, 2);
}

TEST_F(LearnTransform, FactorsAreThoseThatAreStored) {
  TransformedBlock trained = block();
  TrainingState state = begin(trained);
  learn(trained, state, ignore);
  for (const InputTransform& own : best_transform(state, trained)) {
    EXPECT_EQ(round_factor(widen(own.factors.p1)), own.factors.p1);
    EXPECT_EQ(round_factor(widen(own.factors.p2)), own.factors.p2);
  }
}

TEST_F(LearnTransform, SimilarityDrawsSignPatternsTogether) {
  schedule_.epochs = 6;
  params_.similarity = 20;
  params_.balance = 1e-3;  // so that its value is reported in both
  const auto last_similarity = [&] {
    TransformedBlock trained = block();
    TrainingState state = begin(trained);
    double last = 0;
    learn(trained, state, [&](const LearnProgress& progress, const TrainingState&) {
      last = progress.signs.value().similarity;
    });
    return last;
  };
  const double drawn = last_similarity();
  params_.similarity = 0;
  EXPECT_LT(drawn, last_similarity());
}

TEST_F(LearnTransform, TakesNoMoreThanItsMostSteps) {
  schedule_.most_steps = 10;
  schedule_.epochs = 9;
  schedule_.batch = 4;  // 14 sequences, 4 steps an epoch
  TransformedBlock trained = block();
  TrainingState state = begin(trained);
  learn(trained, state, ignore);
  EXPECT_EQ(state.epochs, 3);
  EXPECT_EQ(state.recoveries, 0);
  EXPECT_EQ(state.adam.steps, 10);
}

// Signs are chosen in every step, groups only at the first of an epoch.
TEST_F(LearnTransform, GroupsStayForAnEpoch) {
  schedule_.epochs = 2;
  schedule_.batch = 5;  // 14 sequences, 3 steps an epoch
  schedule_.cosine = false;
  TransformedBlock trained = block();
  TrainingState state = begin(trained);
  learn(trained, state, ignore);

  KeptOutputs original(BlockForward(problem_.model, original_));
  const auto change_by_hand = [&](bool group_in_every_step) {
    TransformedBlock other = block();
    TrainingState by_hand = begin_training(other.size(), schedule_.learning_rate);
    for (int epoch = 0; epoch < schedule_.epochs; ++epoch) {
      const std::vector<std::size_t> order =
          shuffled(split_sequences(problem_.sequences).training, problem_.seed, epoch);
      const SequenceStream stream = open_(order);
      bool grouped = false;
      for (const std::size_t first : {0U, 5U, 10U}) {
        other.set(by_hand.change, false);
        if (!grouped || group_in_every_step) {
          other.regroup();
          grouped = true;
        }
        other.choose_signs();
        std::vector<float> gradient(other.size());
        other.add_error_gradient(
            original, stream, std::span(order).subspan(first, std::min<std::size_t>(5, 14 - first)),
            gradient);
        training_step(gradient, 1.0, by_hand);
      }
    }
    return by_hand.change;
  };
  EXPECT_EQ(state.change, change_by_hand(false));
  EXPECT_NE(state.change, change_by_hand(true));
}

TEST_F(LearnTransform, StepsLimitTheEpochs) {
  schedule_.most_steps = 30;
  schedule_.epochs = 30;
  schedule_.batch = 2;
  EXPECT_EQ(epochs_of(schedule_, 16), 5);  // 14 sequences, 7 steps an epoch
  schedule_.most_steps = 0;
  EXPECT_EQ(epochs_of(schedule_, 16), 30);
}

}  // namespace
}  // namespace btc
