#include "model/block_gradient.hpp"

#include <gmock/gmock.h>

#include <cmath>
#include <filesystem>
#include <memory>

#include "common/rng.hpp"
#include "model/block_forward.hpp"
#include "model/checkpoint.hpp"

namespace btc {
namespace {

class BlockGradientTest : public ::testing::TestWithParam<const char*> {
 protected:
  BlockGradientTest() {
    model_ = Checkpoint::open(std::filesystem::path(BTC_SOURCE_DIR) / "tests/golden/models" /
                              GetParam());
    weights_ = model_->load_block(1);
    input_ = random(9, model_->config().hidden, 1);
    direction_ = random(9, model_->config().hidden, 2);
  }
  static Matrix<float> random(std::size_t rows, std::size_t cols, std::uint64_t seed) {
    Rng rng(seed);
    Matrix<float> matrix(rows, cols);
    for (float& value : matrix.values()) {
      value = static_cast<float>(rng.normal());
    }
    return matrix;
  }
  /// sum(direction * output), in double.
  double loss(const BlockWeights& weights, const Matrix<float>& input) const {
    const Matrix<float> output = BlockForward(model_->config(), weights).run(input.view());
    double sum = 0;
    for (std::size_t e = 0; e < output.size(); ++e) {
      sum += static_cast<double>(output.values()[e]) * static_cast<double>(direction_.values()[e]);
    }
    return sum;
  }

  std::unique_ptr<Checkpoint> model_;
  BlockWeights weights_;
  Matrix<float> input_, direction_;
};

/// Compares dL/dv with a central difference. Single precision leaves about 1e-3 of the loss' scale.
void expect_slope(double gradient, double plus, double minus, double step) {
  const double slope = (plus - minus) / (2 * step);
  EXPECT_NEAR(gradient, slope, 0.02 * std::abs(slope) + 0.02);
}

TEST_P(BlockGradientTest, AgreesWithFiniteDifferences) {
  BlockBackward block(model_->config(), weights_);
  EXPECT_EQ(block.forward(input_.view(), true),
            BlockForward(model_->config(), weights_).run(input_.view()));
  BlockWeights sums = zeros_like(weights_);
  const Matrix<float> input_gradient = block.backward(direction_.view(), sums);
  constexpr double kStep = 1e-2;
  const auto check = [&](float& value, float gradient) {
    const float start = value;
    value = start + static_cast<float>(kStep);
    const double plus = loss(weights_, input_);
    value = start - static_cast<float>(kStep);
    const double minus = loss(weights_, input_);
    value = start;
    expect_slope(static_cast<double>(gradient), plus, minus, kStep);
  };
  for (std::size_t i = 0; i < sums.linear.size(); ++i) {
    for (const std::size_t e : {std::size_t{0}, sums.linear[i].size() / 2}) {
      SCOPED_TRACE(concat("Linear ", i, ", element ", e));
      check(weights_.linear[i].values()[e], sums.linear[i].values()[e]);
    }
  }
  check(weights_.input_norm[3], sums.input_norm[3]);
  check(weights_.post_attention_norm[5], sums.post_attention_norm[5]);
  if (!weights_.q_norm.empty()) {
    check(weights_.q_norm[2], sums.q_norm[2]);
    check(weights_.k_norm[1], sums.k_norm[1]);
  }
  Matrix<float> moved = input_;
  moved(4, 7) += static_cast<float>(kStep);
  const double plus = loss(weights_, moved);
  moved(4, 7) -= 2 * static_cast<float>(kStep);
  expect_slope(static_cast<double>(input_gradient(4, 7)), plus, loss(weights_, moved), kStep);
}

TEST_P(BlockGradientTest, AddsUpOverSequences) {
  BlockBackward block(model_->config(), weights_);
  BlockWeights once = zeros_like(weights_);
  BlockWeights twice = zeros_like(weights_);
  block.forward(input_.view(), false);
  EXPECT_TRUE(block.backward(direction_.view(), once).empty());
  for (int pass = 0; pass < 2; ++pass) {
    block.forward(input_.view(), false);
    block.backward(direction_.view(), twice);
  }
  for (std::size_t e = 0; e < once.linear[6].size(); ++e) {
    EXPECT_EQ(twice.linear[6].values()[e], 2 * once.linear[6].values()[e]);
  }
  EXPECT_EQ(twice.input_norm[0], 2 * once.input_norm[0]);
  EXPECT_THROW(block.backward(direction_.view(), once), Error);
}

TEST_P(BlockGradientTest, TakenOnceOrAfterEachSequenceTheSumsAreEqual) {
  BlockBackward block(model_->config(), weights_, TorchPlace{});
  BlockWeights each = zeros_like(weights_);
  BlockWeights once = zeros_like(weights_);
  for (std::uint64_t seed = 1; seed <= 3; ++seed) {
    const Matrix<float> input = random(9, model_->config().hidden, seed);
    block.forward(input.view(), false);
    block.backward(direction_.view(), each);
  }
  for (std::uint64_t seed = 1; seed <= 3; ++seed) {
    const Matrix<float> input = random(9, model_->config().hidden, seed);
    block.forward(input.view(), false);
    block.backward(direction_.view());
  }
  block.take_gradients(once);
  EXPECT_EQ(each.linear, once.linear);
  EXPECT_EQ(each.input_norm, once.input_norm);
  block.take_gradients(once);
  EXPECT_EQ(each.linear, once.linear) << "nothing is left after taking";
}

TEST_P(BlockGradientTest, DifferentiatesTheMarkedLinearsOnly) {
  BlockBackward whole(model_->config(), weights_);
  BlockWeights all = zeros_like(weights_);
  whole.forward(input_.view(), false);
  whole.backward(direction_.view(), all);
  const LinearMask marked = {false, true, false, false, false, true, false};
  BlockBackward block(model_->config(), weights_, marked);
  BlockWeights sums = zeros_like(weights_);
  block.forward(input_.view(), false);
  block.backward(direction_.view(), sums);
  const BlockWeights zeros = zeros_like(weights_);
  for (std::size_t i = 0; i < marked.size(); ++i) {
    EXPECT_EQ(sums.linear[i], marked.at(i) ? all.linear[i] : zeros.linear[i]) << "Linear " << i;
  }
  EXPECT_EQ(sums.input_norm, zeros.input_norm);
}

INSTANTIATE_TEST_SUITE_P(Families, BlockGradientTest,
                         ::testing::Values("llama_gqa_llama3", "qwen2_tied", "qwen3"));

class HeadDivergenceTest : public BlockGradientTest {};

TEST_P(HeadDivergenceTest, IsZeroAtTheTargetAndItsGradientIsTheSlope) {
  const HeadBackward head(*model_);
  const Matrix<float> target = random(9, model_->config().hidden, 3);
  EXPECT_NEAR(head.divergence(target.view(), target.view(), false).value, 0, 1e-5);
  const HeadDivergence found = head.divergence(input_.view(), target.view(), true);
  EXPECT_GT(found.value, 0);
  EXPECT_TRUE(head.divergence(input_.view(), target.view(), false).gradient.empty());
  Matrix<float> moved = input_;
  constexpr double kStep = 1e-2;
  moved(2, 5) += static_cast<float>(kStep);
  const double plus = head.divergence(moved.view(), target.view(), false).value;
  moved(2, 5) -= 2 * static_cast<float>(kStep);
  const double minus = head.divergence(moved.view(), target.view(), false).value;
  expect_slope(static_cast<double>(found.gradient(2, 5)), plus, minus, kStep);
}

TEST_P(HeadDivergenceTest, GradientOfTheLikelihoodIsTheSlope) {
  const HeadBackward head(*model_);
  const HeadForward forward(*model_);
  const std::vector<std::int32_t> targets = {3, 0, 7, 7, 1, 60, 2, 9};
  const Matrix<float> gradient = head.nll_gradient(input_.view(), targets);
  ASSERT_EQ(gradient.rows(), 9U);
  const auto loss = [&](const Matrix<float>& hidden) {
    double sum = 0;
    for (const double nll : forward.nll(hidden.view().sub(0, 8, 0, hidden.cols()), targets)) {
      sum += nll;
    }
    return sum;
  };
  constexpr double kStep = 1e-2;
  for (const std::size_t row : {0U, 3U, 7U}) {
    Matrix<float> moved = input_;
    moved(row, 5) += static_cast<float>(kStep);
    const double plus = loss(moved);
    moved(row, 5) -= 2 * static_cast<float>(kStep);
    expect_slope(static_cast<double>(gradient(row, 5)), plus, loss(moved), kStep);
  }
  EXPECT_THAT(gradient.row(7), ::testing::Contains(::testing::Ne(0.0F)));
  EXPECT_THAT(gradient.row(8), ::testing::Each(0.0F)) << "it predicts nothing";
  EXPECT_THROW((void)head.nll_gradient(input_.view(), std::vector<std::int32_t>{61}), InputError);
}

TEST_P(HeadDivergenceTest, GradientOfTheLikelihoodOfManyRowsIsThatOfEach) {
  const HeadBackward head(*model_);
  const Matrix<float> hidden = random(300, model_->config().hidden, 5);
  const std::vector<std::int32_t> targets(299, 4);
  const Matrix<float> all = head.nll_gradient(hidden.view(), targets);
  for (const std::size_t row : {0U, 255U, 256U, 298U}) {
    const Matrix<float> alone = head.nll_gradient(hidden.view().sub(row, row + 1, 0, hidden.cols()),
                                                  std::span(targets).first(1));
    for (std::size_t c = 0; c < hidden.cols(); ++c) {
      EXPECT_NEAR(all(row, c), alone(0, c), 1e-5) << row;
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Families, HeadDivergenceTest, ::testing::Values("llama_gqa_llama3"));

}  // namespace
}  // namespace btc
