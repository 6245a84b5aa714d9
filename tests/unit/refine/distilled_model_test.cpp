#include "refine/distilled_model.hpp"

#include <gmock/gmock.h>

#include <cmath>
#include <limits>

#include "refine/training_state.hpp"
#include "refine_fixture.hpp"

namespace btc {
namespace {

using test::RefineFixture;

class DistilledModelTest : public ::testing::Test {
 protected:
  DistilledModelTest() {
    std::vector<ScaledBlock> blocks;
    for (int b = 0; b < fixture_.model->config().blocks; ++b) {
      ScaledBlock::Linears linear;
      BlockWeights weights = fixture_.model->load_block(b);
      for (std::size_t i = 0; i < linear.size(); ++i) {
        linear.at(i) = test::signs_of(weights.linear.at(i));
      }
      blocks.emplace_back(std::move(linear), std::move(weights));
    }
    model_ = std::make_unique<DistilledModel>(*fixture_.model, std::move(blocks));
    for (std::size_t s = 0; s < 3; ++s) {
      samples_.push_back({fixture_.sequence(s), fixture_.sequence(100 + s)});
    }
  }
  [[nodiscard]] double total() const {
    double sum = 0;
    for (const double value : model_->divergences(samples_)) {
      sum += value;
    }
    return sum;
  }

  const RefineFixture fixture_{"qwen3"};
  std::unique_ptr<DistilledModel> model_;
  std::vector<DistillSample> samples_;
};

TEST_F(DistilledModelTest, DivergesByWhatItsGradientsSay) {
  const std::vector<DistillGradient> gradients = model_->gradients(samples_);
  const std::vector<double> values = model_->divergences(samples_);
  ASSERT_EQ(gradients.size(), 3U);
  for (std::size_t s = 0; s < 3; ++s) {
    EXPECT_GT(values[s], 0);
    EXPECT_EQ(gradients[s].divergence, values[s]);
    EXPECT_EQ(gradients[s].change.size(), model_->size());
  }
}

// A scale of each block and the gains of its norms, which lie at its end.
TEST_F(DistilledModelTest, GradientsAreSlopes) {
  const std::vector<DistillGradient> gradients = model_->gradients(samples_);
  std::vector<float> change(model_->size());
  constexpr float kStep = 2e-2F;
  std::size_t begin = 0;
  for (const ScaledBlock& block : model_->blocks()) {
    for (const std::size_t k : {begin + 1, begin + block.size() / 2, begin + block.size() - 90}) {
      change[k] = kStep;
      model_->set(change);
      const double plus = total();
      change[k] = -kStep;
      model_->set(change);
      const double slope = (plus - total()) / (2 * static_cast<double>(kStep));
      change[k] = 0;
      double gradient = 0;
      for (const DistillGradient& sample : gradients) {
        gradient += static_cast<double>(sample.change[k]);
      }
      EXPECT_NEAR(gradient, slope, 0.03 * std::abs(slope) + 5e-3) << "change " << k;
    }
    begin += block.size();
  }
}

TEST_F(DistilledModelTest, GradientOfASampleDoesNotDependOnTheOthers) {
  const std::vector<DistillGradient> together = model_->gradients(samples_);
  for (std::size_t s = 0; s < 3; ++s) {
    const auto alone = model_->gradients(std::span(samples_).subspan(s, 1));
    EXPECT_EQ(alone[0].change, together[s].change) << s;
  }
}

TEST_F(DistilledModelTest, StepsLowerTheDivergence) {
  TrainingState state = begin_training(model_->size(), 0.01);
  state.best_loss = total();
  const double start = state.best_loss;
  for (int step = 0; step < 10; ++step) {
    model_->set(state.change);
    training_step(sum_of(model_->gradients(samples_)), 1, state);
  }
  model_->set(state.change);
  EXPECT_LT(total(), 0.95 * start);
  judge_epoch(total(), 1, state);
  EXPECT_EQ(state.best_epoch, 1);
  EXPECT_EQ(state.best, state.change);
}

TEST(TrainingStep, GoesBackToTheBestWhenSomethingIsNotFinite) {
  TrainingState state;
  state.change = {1, 2};
  state.best = {3, 4};
  state.rate = 0.5;
  state.adam.steps = 7;
  const DistillGradient bad = {0, {0, std::numeric_limits<float>::quiet_NaN()}};
  training_step(sum_of(std::vector<DistillGradient>{{0, {1, 1}}, bad}), 1, state);
  EXPECT_EQ(state.change, state.best);
  EXPECT_EQ(state.rate, 0.25);
  EXPECT_EQ(state.recoveries, 1);
  EXPECT_EQ(state.adam.steps, 0);
  judge_epoch(std::numeric_limits<double>::quiet_NaN(), 2, state);
  EXPECT_EQ(state.best_epoch, 0);
}

}  // namespace
}  // namespace btc
