#include "learn/transformed_block.hpp"

#include <ATen/core/Tensor.h>
#include <gmock/gmock.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <filesystem>
#include <limits>
#include <numeric>
#include <string>

#include "common/rng.hpp"
#include "learn/cheap_binarizer.hpp"
#include "model/block_forward.hpp"
#include "model/block_gradient.hpp"
#include "model/checkpoint.hpp"
#include "support/random_matrix.hpp"
#include "support/relative_distance.hpp"

namespace btc {
namespace {

double dot(const BlockWeights& a, const BlockWeights& b) {
  double sum = 0;
  for (std::size_t i = 0; i < a.linear.size(); ++i) {
    for (std::size_t e = 0; e < a.linear.at(i).size(); ++e) {
      sum += static_cast<double>(a.linear.at(i).values()[e]) *
             static_cast<double>(b.linear.at(i).values()[e]);
    }
  }
  return sum;
}

/// Borrows the Linears.
LinearTensors tensors_of(const BlockWeights& weights) {
  LinearTensors tensors;
  for (std::size_t i = 0; i < tensors.size(); ++i) {
    tensors.at(i) = borrow(weights.linear.at(i).view());
  }
  return tensors;
}

class TransformedBlockOf : public ::testing::TestWithParam<std::string> {
 protected:
  TransformedBlockOf() {
    params_.kind = TransformKind::kFlatQuant;
    binarize_.split_points = 1;
  }
  [[nodiscard]] TransformedBlock block() const {
    return {model_, original_, params_, binarize_, 16, 5};
  }
  [[nodiscard]] std::vector<float> random_change(std::size_t size, double scale) const {
    Rng rng(6);
    std::vector<float> change(size);
    for (float& value : change) {
      value = static_cast<float>(scale * rng.normal());
    }
    return change;
  }
  [[nodiscard]] BlockWeights random_gradient() const {
    Rng rng(7);
    BlockWeights gradient = zeros_like(original_);
    for (Matrix<float>& own : gradient.linear) {
      for (float& value : own.values()) {
        value = static_cast<float>(rng.normal());
      }
    }
    return gradient;
  }
  [[nodiscard]] Matrix<float> hidden() const { return test::random_matrix(9, model_.hidden, 3); }
  [[nodiscard]] Matrix<float> output(const BlockWeights& weights) const {
    return BlockForward(model_, weights).run(hidden().view());
  }

  const std::unique_ptr<Checkpoint> checkpoint_ =
      Checkpoint::open(std::filesystem::path(BTC_SOURCE_DIR) / "tests/golden/models" / GetParam());
  const ModelConfig& model_ = checkpoint_->config();
  const BlockWeights original_ = checkpoint_->load_block(0);
  TransformParams params_;
  BinarizeParams binarize_;
};

TEST_P(TransformedBlockOf, SignsFlipBeyondTheirStart) {
  params_.start = TransformStart::kIdentity;
  params_.factors = false;
  params_.sign_start = 0.25;
  TransformedBlock trained = block();
  for (const float change : {-0.21F, -0.29F}) {
    trained.set(std::vector<float>(trained.size(), change), false);
    for (const InputTransform& own : trained.transform()) {
      EXPECT_THAT(own.sign, ::testing::Each(change < -0.25F ? -1.0F : 1.0F));
    }
  }
}

// What training sees is what the merged, transformed and quantized block computes.
TEST_P(TransformedBlockOf, EffectiveWeightsAreTheQuantizedBlock) {
  TransformedBlock trained = block();
  trained.set(random_change(trained.size(), 0.02), true);
  trained.regroup();
  trained.choose_signs();

  const BlockTransform transform = trained.transform();
  BlockWeights merged = original_;
  merge_transform(model_, transform, merged);
  const OnlineFactors online = online_factors(transform);
  for (const LinearKind kind : kLinearKinds) {
    Matrix<float>& weights = merged.linear.at(index_of(kind));
    const KroneckerFactors& factors = online.at(index_of(input_of(kind)));
    enter_transform(factors, weights.view());
    CheapBinarizer binarizer(binarize_, 16);
    const at::Tensor entered = borrow(weights);
    binarizer.regroup(entered);
    binarizer.choose_signs(entered);
    weights = to_matrix(binarizer.project(entered));
    fold_transform(factors, weights.view());
  }
  const Matrix<float> expected = output(merged);
  const Matrix<float> found = output(trained.effective());
  EXPECT_EQ(trained.forward().run(hidden().view()), found);
  // A weight at a threshold may fall either way.
  EXPECT_LT(test::relative_distance(found.values(), expected.values()), 1e-3);
}

// With the errors of the quantizer frozen the loss is smooth in factors and signs.
TEST_P(TransformedBlockOf, GradientIsTheSlope) {
  TransformedBlock trained = block();
  std::vector<float> change = random_change(trained.size(), 0.002);  // no sign flips
  trained.set(change, false);
  trained.regroup();
  trained.choose_signs();
  const BlockWeights direction = random_gradient();
  std::vector<float> gradient(trained.size());
  trained.add_gradient(tensors_of(direction), gradient);
  const auto loss = [&] {
    trained.set(change, false);
    return dot(trained.effective(), direction);
  };
  Rng rng(8);
  int smooth = 0;
  for (int trial = 0; trial < 200; ++trial) {
    const std::size_t k = rng.below(change.size());
    constexpr float kStep = 2e-3F;
    const float start = change[k];
    change[k] = start + kStep;
    const double plus = loss();
    change[k] = start - kStep;
    const double minus = loss();
    change[k] = start;
    const double slope = (plus - minus) / (2 * static_cast<double>(kStep));
    if (slope != 0) {  // a latent sign that does not cross zero changes nothing
      EXPECT_NEAR(gradient[k], slope, 0.05 + 0.02 * std::fabs(slope)) << "value " << k;
      ++smooth;
    }
  }
  EXPECT_GT(smooth, 50);
}

// The products alone are rounded, and only those of the steps.
TEST_P(TransformedBlockOf, StepsInBf16AreNearThoseInFp32) {
  std::array<std::vector<float>, 2> gradient;
  std::array<BlockWeights, 2> effective;
  for (const Precision precision : {Precision::kFp32, Precision::kBf16}) {
    params_.precision = precision;
    TransformedBlock trained = block();
    trained.set(random_change(trained.size(), 0.02), false);
    trained.regroup();
    trained.choose_signs();
    KeptOutputs original(BlockForward(model_, original_));
    Matrix<float> input = test::random_matrix(40, model_.hidden, 2);
    const auto p = static_cast<std::size_t>(precision);
    gradient.at(p).resize(trained.size());
    trained.add_error_gradient(
        original, [&] { return input; }, std::array<std::size_t, 1>{0}, gradient.at(p));
    effective.at(p) = trained.effective();
  }
  EXPECT_EQ(effective[0].linear, effective[1].linear);
  const double distance = test::relative_distance(gradient[1], gradient[0]);
  EXPECT_LT(distance, 0.03);
  EXPECT_GT(distance, 1e-4) << "nothing was rounded";
}

/// Latent signs of every input, `sign_start` from zero, and factors near the identity.
class LatentSignsOf : public TransformedBlockOf {
 protected:
  LatentSignsOf() {
    params_.start = TransformStart::kIdentity;
    params_.sign_start = 0.5;
    for (const SharedInput input : kSharedInputs) {
      first_sign_.at(index_of(input)) = is_sign_.size();
      const auto [a, b] = factor_sizes(model_, input);
      const std::size_t heads_of_a_sign =
          input == SharedInput::kO ? model_.heads / model_.kv_heads : 1;
      is_sign_.insert(is_sign_.end(), a * b / heads_of_a_sign, true);
      is_sign_.insert(is_sign_.end(), a * a + b * b, false);
    }
  }
  /// @return changes after which latent signs are `plus` or `minus`
  [[nodiscard]] std::vector<float> signs_at(float plus, float minus) const {
    constexpr float kStart = 0.5F;
    std::vector<float> change = random_change(is_sign_.size(), 0.05);
    for (std::size_t k = 0; k < change.size(); ++k) {
      if (is_sign_[k]) {
        change[k] = (k % 3 == 0 ? minus : plus) - kStart;
      }
    }
    return change;
  }
  std::vector<bool> is_sign_;  ///< of every trained value
  std::array<std::size_t, kSharedInputs.size()> first_sign_{};
};

// With groups and signs of the quantizer frozen the effective weights are quadratic in each sign of
// D, f(d) = a + b d + c d^2, so that f(1) - f(-1) = 2 b = f'(1) + f'(-1).
TEST_P(LatentSignsOf, GradientsOfBothSignsAddUpToTheirDifference) {
  TransformedBlock trained = block();
  ASSERT_EQ(trained.size(), is_sign_.size());
  std::vector<float> change = signs_at(0.5F, -0.5F);
  trained.set(change, false);
  trained.regroup();
  trained.choose_signs();
  const BlockWeights direction = random_gradient();
  double size = 0;
  int tested = 0;
  for (std::size_t k = 0; k < change.size(); k += 3) {
    if (!is_sign_[k]) {
      continue;
    }
    double difference = 0;
    double sum = 0;
    for (const float sign : {1.0F, -1.0F}) {
      change[k] = 0.5F * sign - 0.5F;
      trained.set(change, false);
      difference += static_cast<double>(sign) * dot(trained.effective(), direction);
      std::vector<float> gradient(trained.size());
      trained.add_gradient(tensors_of(direction), gradient);
      sum += static_cast<double>(gradient[k]);
    }
    EXPECT_NEAR(sum, difference, 1e-3 + 1e-4 * std::fabs(difference)) << "value " << k;
    size = std::max(size, std::fabs(difference));
    ++tested;
  }
  EXPECT_GT(tested, 40);
  EXPECT_GT(size, 1);
}

// D of `down` goes through the rows of up_proj on the way in and on the way out: a row of the
// effective weights is d^2 times what it would be without, and its share of f'(d) is 2 d f(1).
TEST_P(LatentSignsOf, OfDownReachUpProjTwice) {
  TransformedBlock trained = block();
  trained.set(signs_at(0.5F, -0.5F), false);
  trained.regroup();
  trained.choose_signs();
  BlockWeights direction = zeros_like(original_);
  const std::size_t up = index_of(LinearKind::kUp);
  direction.linear.at(up) = random_gradient().linear.at(up);
  std::vector<float> gradient(trained.size());
  trained.add_gradient(tensors_of(direction), gradient);

  const std::vector<float> sign = trained.transform().at(index_of(SharedInput::kDown)).sign;
  const std::size_t first = first_sign_.at(index_of(SharedInput::kDown));
  const BlockWeights effective = trained.effective();
  for (std::size_t k = 0; k < sign.size(); ++k) {
    const auto row = effective.linear.at(up).row(k);
    const auto own = direction.linear.at(up).row(k);
    const double product = std::inner_product(row.begin(), row.end(), own.begin(), 0.0);
    const double expected = 2 * static_cast<double>(sign[k]) * product;
    EXPECT_NEAR(gradient[first + k], expected, 1e-4 * (1 + std::fabs(expected))) << "sign " << k;
  }
}

TEST_P(LatentSignsOf, PassTheirGradientNoFurtherThanOne) {
  TransformedBlock trained = block();
  const auto moved_at = [&](float latent) {
    trained.set(signs_at(latent, -latent), false);
    trained.regroup();
    trained.choose_signs();
    std::vector<float> gradient(trained.size());
    const BlockWeights direction = random_gradient();
    trained.add_gradient(tensors_of(direction), gradient);
    params_.balance = 1;
    trained.add_sign_gradient(8, params_, gradient);
    std::vector<bool> moved;
    std::transform(gradient.begin(), gradient.end(), std::back_inserter(moved),
                   [](float g) { return g != 0; });
    return moved;
  };
  EXPECT_EQ(moved_at(1.0F), std::vector<bool>(is_sign_.size(), true));
  std::vector<bool> factors = is_sign_;
  factors.flip();
  EXPECT_EQ(moved_at(1.01F), factors);
}

TEST_P(TransformedBlockOf, SwitchesLeavePartsAlone) {
  params_.factors = false;
  params_.start = TransformStart::kIdentity;
  TransformedBlock trained = block();
  trained.regroup();
  trained.choose_signs();
  std::vector<float> gradient(trained.size());
  const BlockWeights direction = random_gradient();
  trained.add_gradient(tensors_of(direction), gradient);
  const auto moved = [&] {
    return std::count_if(gradient.begin(), gradient.end(), [](float g) { return g != 0; });
  };
  std::size_t signs = 0;
  for (const SharedInput input : kSharedInputs) {
    signs += input_width(model_, input) /
             (input == SharedInput::kO ? model_.heads / model_.kv_heads : 1);
  }
  EXPECT_EQ(moved(), static_cast<std::ptrdiff_t>(signs));
  EXPECT_TRUE(trained.transform().front().factors.p1.empty());
  EXPECT_EQ(trained.distance(), 0);
}

TEST_P(TransformedBlockOf, RefusesFactorsThatCannotBeInverted) {
  TransformedBlock trained = block();
  std::vector<float> change(trained.size());
  change.back() = std::numeric_limits<float>::quiet_NaN();
  EXPECT_THROW(trained.set(change, false), NumericError);
  change.back() = 1e6F;
  EXPECT_THROW(trained.set(change, false), NumericError);
}

INSTANTIATE_TEST_SUITE_P(Models, TransformedBlockOf,
                         ::testing::Values("llama_gqa_llama3", "qwen2_tied", "qwen3"),
                         [](const auto& given) { return given.param; });
INSTANTIATE_TEST_SUITE_P(Models, LatentSignsOf,
                         ::testing::Values("llama_gqa_llama3", "qwen2_tied", "qwen3"),
                         [](const auto& given) { return given.param; });

}  // namespace
}  // namespace btc
