/// Blocks on a CUDA device against the same blocks on the CPU.

#include <gmock/gmock.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <limits>
#include <memory>
#include <string>
#include <utility>

#include "model/block_forward.hpp"
#include "model/block_gradient.hpp"
#include "model/checkpoint.hpp"
#include "model/hessian_sums.hpp"
#include "support/bf16_matrix.hpp"
#include "support/random_matrix.hpp"
#include "support/torch_device.hpp"

namespace btc {
namespace {

using test::random_matrix;

constexpr std::size_t kTokens = 70;

/// Of the largest entry: both sum in fp32, in different orders.
constexpr double kTolerance = 1e-4;

void expect_close(std::span<const float> found, std::span<const float> expected,
                  const std::string& what) {
  ASSERT_EQ(found.size(), expected.size()) << what;
  double scale = 0;
  double worst = 0;
  for (std::size_t i = 0; i < found.size(); ++i) {
    ASSERT_TRUE(std::isfinite(found[i])) << what << ", entry " << i;
    scale = std::max(scale, std::abs(static_cast<double>(expected[i])));
    worst =
        std::max(worst, std::abs(static_cast<double>(found[i]) - static_cast<double>(expected[i])));
  }
  EXPECT_LE(worst, kTolerance * scale) << what;
}

void expect_close(const Matrix<float>& found, const Matrix<float>& expected,
                  const std::string& what) {
  ASSERT_EQ(found.rows(), expected.rows()) << what;
  expect_close(found.values(), expected.values(), what);
}

class OnDevice : public ::testing::TestWithParam<const char*> {
 protected:
  void SetUp() override {
    test::use_torch_device(1, place_);
    if (IsSkipped() || HasFatalFailure()) {
      return;
    }
    model_ = Checkpoint::open(std::filesystem::path(BTC_SOURCE_DIR) / "tests/golden/models" /
                              GetParam());
    weights_ = model_->load_block(1);
    input_ = random_matrix(kTokens, config().hidden, 1);
  }
  [[nodiscard]] const ModelConfig& config() const { return model_->config(); }

  TorchPlace place_;
  std::unique_ptr<Checkpoint> model_;
  BlockWeights weights_;
  Matrix<float> input_;
};

TEST_P(OnDevice, BlockOutput) {
  const BlockForward device(config(), weights_, place_);
  const Matrix<float> output = device.run(input_.view());
  expect_close(output, BlockForward(config(), weights_).run(input_.view()), "output");
  EXPECT_EQ(output, device.run(input_.view())) << "not repeatable";
  const auto half = input_.view().sub(0, kTokens / 2, 0, input_.cols());
  expect_close(device.run(half), BlockForward(config(), weights_).run(half), "shorter sequence");
}

TEST_P(OnDevice, HiddenStatesOfABlock) {
  const BlockForward device(config(), weights_, place_);
  const Matrix<std::uint16_t> bits = test::bf16_bits(input_);
  const HiddenStates output = device.run(HiddenStates(bits.view(), place_));
  EXPECT_EQ(output.place(), place_);
  Matrix<std::uint16_t> found(bits.rows(), bits.cols());
  output.copy_to(found.view());
  EXPECT_EQ(found, test::bf16_bits(device.run(test::bf16_values(bits).view())))
      << "rounded on the device, and by the host";
}

TEST_P(OnDevice, HessianSums) {
  const Matrix<float> second = random_matrix(kTokens - 9, config().hidden, 2);
  const auto sums = [&](TorchPlace place) {
    btc::HessianSums hessians(config(), weights_, kSharedInputs, place);
    hessians.add(input_.view());
    hessians.add(second.view());
    return hessians.take();
  };
  const auto found = sums(place_);
  const auto expected = sums({});
  EXPECT_EQ(found, sums(place_)) << "not repeatable";
  for (const SharedInput input : kSharedInputs) {
    const Matrix<float>& h = found.at(index_of(input));
    expect_close(h, expected.at(index_of(input)), std::string(name_of(input)));
    for (std::size_t i = 0; i < h.rows(); ++i) {
      for (std::size_t j = 0; j < i; ++j) {
        ASSERT_EQ(h(i, j), h(j, i)) << "not symmetric";
      }
    }
  }
}

// All lie in the same memory, which is written again as soon as a sequence was added. Lengths rise
// and fall, so that buffers and rotary tables are both made anew and used in part.
TEST_P(OnDevice, HessianSumsOfManySequencesOfDifferentLengths) {
  constexpr std::array<std::size_t, 16> kLengths = {5,  70, 1,   64, 300, 33, 299, 2,
                                                    90, 90, 127, 7,  450, 31, 300, 12};
  constexpr float kScale = 1.0F / kLengths.size();
  const auto means = [&](TorchPlace place) {
    btc::HessianSums hessians(config(), weights_, kSharedInputs, place);
    Matrix<float> memory(450, config().hidden);
    for (std::size_t s = 0; s < kLengths.size(); ++s) {
      const auto hidden = memory.view().sub(0, kLengths.at(s), 0, memory.cols());
      const Matrix<float> values = random_matrix(hidden.rows(), hidden.cols(), 10 + s);
      for (std::size_t t = 0; t < hidden.rows(); ++t) {
        std::copy(values.row(t).begin(), values.row(t).end(), hidden.row(t).begin());
      }
      hessians.add(hidden);
    }
    std::fill(memory.values().begin(), memory.values().end(), 1e6F);
    return hessians.take(kScale);
  };
  const auto found = means(place_);
  const auto expected = means({});
  EXPECT_EQ(found, means(place_)) << "not repeatable";
  for (const SharedInput input : kSharedInputs) {
    expect_close(found.at(index_of(input)), expected.at(index_of(input)),
                 std::string(name_of(input)));
  }
}

TEST_P(OnDevice, HessianSumsOfOneSequenceEach) {
  for (std::size_t tokens = 1; tokens < kTokens; tokens += 17) {
    const auto hidden = input_.view().sub(0, tokens, 0, input_.cols());
    const auto sums = [&](TorchPlace place) {
      btc::HessianSums hessians(config(), weights_, std::array{SharedInput::kDown}, place);
      hessians.add(hidden);
      return hessians.take(0.25F);
    };
    const auto found = sums(place_);
    expect_close(found.at(index_of(SharedInput::kDown)), sums({}).at(index_of(SharedInput::kDown)),
                 "down");
    EXPECT_TRUE(found.at(index_of(SharedInput::kQkv)).empty());
  }
}

TEST_P(OnDevice, HessianSumsWiderThanAPanel) {
  ModelConfig wide = config();
  wide.intermediate = 2100;  // two panels of 1024 and a rest
  BlockWeights weights = weights_;
  for (const LinearKind kind : {LinearKind::kGate, LinearKind::kUp, LinearKind::kDown}) {
    const auto [rows, cols] = linear_shape(wide, kind);
    weights.linear.at(index_of(kind)) = random_matrix(rows, cols, index_of(kind));
    weights.bias.at(index_of(kind)).clear();
  }
  const auto mean = [&](TorchPlace place) {
    btc::HessianSums hessians(wide, weights, std::array{SharedInput::kDown}, place);
    hessians.add(input_.view());
    hessians.add(input_.view());
    return std::move(hessians.take(0.5F).at(index_of(SharedInput::kDown)));
  };
  const Matrix<float> found = mean(place_);
  expect_close(found, mean({}), "down");
  for (std::size_t i = 0; i < found.rows(); ++i) {
    for (std::size_t j = 0; j < i; ++j) {
      ASSERT_EQ(found(i, j), found(j, i)) << "not symmetric: entry (" << i << ", " << j << ")";
    }
  }
}

TEST_P(OnDevice, BlockGradients) {
  const Matrix<float> direction = random_matrix(kTokens, config().hidden, 3);
  const auto gradients = [&](TorchPlace place, Matrix<float>& input_gradient) {
    BlockBackward block(config(), weights_, place);
    for (int pass = 0; pass < 2; ++pass) {
      block.forward(input_.view(), true);
      input_gradient = block.backward(direction.view());
    }
    BlockWeights sums = zeros_like(weights_);
    block.take_gradients(sums);
    return sums;
  };
  Matrix<float> found_input;
  Matrix<float> expected_input;
  Matrix<float> again_input;
  const BlockWeights found = gradients(place_, found_input);
  const BlockWeights expected = gradients({}, expected_input);
  EXPECT_EQ(found.linear, gradients(place_, again_input).linear) << "not repeatable";
  EXPECT_EQ(found_input, again_input) << "not repeatable";
  expect_close(found_input, expected_input, "input");
  for (const LinearKind kind : kLinearKinds) {
    expect_close(found.linear.at(index_of(kind)), expected.linear.at(index_of(kind)),
                 std::string(name_of(kind)));
  }
  expect_close(found.input_norm, expected.input_norm, "input norm");
  expect_close(found.post_attention_norm, expected.post_attention_norm, "second norm");
  expect_close(found.q_norm, expected.q_norm, "query norm");
  expect_close(found.k_norm, expected.k_norm, "key norm");
}

TEST_P(OnDevice, LogitsLossAndDivergence) {
  const HeadForward head(*model_);
  const HeadForward device(*model_, place_);
  expect_close(device.logits(input_.view()), head.logits(input_.view()), "logits");
  std::vector<std::int32_t> targets(kTokens);
  for (std::size_t t = 0; t < kTokens; ++t) {
    targets[t] = static_cast<std::int32_t>(t * 7 % config().vocab_size);
  }
  const std::vector<double> found = device.nll(input_.view(), targets);
  const std::vector<double> expected = head.nll(input_.view(), targets);
  for (std::size_t t = 0; t < kTokens; ++t) {
    EXPECT_NEAR(found[t], expected[t], kTolerance * std::max(1.0, expected[t]));
  }
  const Matrix<float> target = random_matrix(kTokens, config().hidden, 4);
  const HeadDivergence there =
      HeadBackward(*model_, place_).divergence(input_.view(), target.view(), true);
  const HeadDivergence here = HeadBackward(*model_).divergence(input_.view(), target.view(), true);
  EXPECT_NEAR(there.value, here.value, kTolerance * here.value);
  expect_close(there.gradient, here.gradient, "gradient of the divergence");
}

class HiddenStatesOnDevice : public ::testing::Test {
 protected:
  void SetUp() override {
    if (torch_device_count() == 0) {
      GTEST_SKIP() << "no CUDA device";
    }
    place_ = torch_place_of_rank(0);
  }

  TorchPlace place_;
};

TEST_F(HiddenStatesOnDevice, GiveBackEveryBitPattern) {
  Matrix<std::uint16_t> bits(256, 256);
  for (std::size_t i = 0; i < bits.size(); ++i) {
    bits.values()[i] = static_cast<std::uint16_t>(i);
  }
  const HiddenStates hidden(bits.view(), place_);
  EXPECT_EQ(hidden.bytes(), 2 * bits.size());
  Matrix<std::uint16_t> wide(256, 300);
  hidden.copy_to(wide.view().columns(7, 263));
  for (std::size_t t = 0; t < 256; ++t) {
    for (std::size_t i = 0; i < 256; ++i) {
      ASSERT_EQ(wide(t, i + 7), bits(t, i));
    }
  }
}

TEST_F(HiddenStatesOnDevice, RoundAsTheFilesDo) {
  const Matrix<float> values = test::values_around_all_bf16();
  Matrix<std::uint16_t> found(values.rows(), values.cols());
  HiddenStates(values.view(), place_).copy_to(found.view());
  EXPECT_EQ(found, test::bf16_bits(values));
}

TEST_F(HiddenStatesOnDevice, KeepWhatIsNoNumber) {
  const Matrix<float> values(3, 70, std::numeric_limits<float>::quiet_NaN());
  Matrix<std::uint16_t> found(values.rows(), values.cols());
  HiddenStates(values.view(), place_).copy_to(found.view());
  for (const std::uint16_t bits : found.values()) {
    EXPECT_TRUE(std::isnan(bf16_to_float(bits)));
  }
}

INSTANTIATE_TEST_SUITE_P(Families, OnDevice,
                         ::testing::Values("llama_gqa_llama3", "llama_untied_bias", "mistral",
                                           "qwen2_tied", "qwen3"),
                         [](const auto& family) { return std::string(family.param); });

}  // namespace
}  // namespace btc
