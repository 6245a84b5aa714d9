#include <gmock/gmock.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <filesystem>
#include <numeric>

#include "io/safetensors.hpp"
#include "model/block_forward.hpp"
#include "model/checkpoint.hpp"
#include "model/hessian_sums.hpp"

namespace btc {
namespace {

std::filesystem::path golden_models() { return BTC_SOURCE_DIR "/tests/golden/models"; }

struct Golden {
  std::unique_ptr<Checkpoint> model;
  std::vector<std::int32_t> ids;
  Matrix<float> logits;
};

Golden open_golden(const std::string& name) {
  Golden golden{Checkpoint::open(golden_models() / name), {}, {}};
  const auto file = SafetensorsFile::open(golden_models() / name / "golden.safetensors");
  const TensorView& ids = file.at("ids");
  golden.ids.resize(ids.element_count());
  std::memcpy(golden.ids.data(), ids.bytes.data(), ids.bytes.size());
  golden.logits = Matrix<float>(golden.ids.size(), golden.model->config().vocab_size);
  golden.logits.values() = to_float(file.at("logits"));
  return golden;
}

Matrix<float> hidden_states(const ModelSource& model, std::span<const std::int32_t> ids) {
  Matrix<float> hidden = model.embed(ids);
  for (int block = 0; block < model.config().blocks; ++block) {
    hidden = BlockForward(model.config(), model.load_block(block)).run(hidden.view());
  }
  return hidden;
}

class ModelGolden : public ::testing::TestWithParam<const char*> {
 protected:
  void SetUp() override { configure_torch(1); }
};

TEST_P(ModelGolden, LogitsEqualThoseOfTransformers) {
  const Golden golden = open_golden(GetParam());
  const Matrix<float> hidden = hidden_states(*golden.model, golden.ids);
  const Matrix<float> logits = HeadForward(*golden.model).logits(hidden.view());
  ASSERT_EQ(logits.rows(), golden.logits.rows());
  ASSERT_EQ(logits.cols(), golden.logits.cols());
  float worst = 0;
  for (std::size_t i = 0; i < logits.size(); ++i) {
    worst = std::max(worst, std::abs(logits.values()[i] - golden.logits.values()[i]));
  }
  EXPECT_LT(worst, 1e-4F);  // both fp32; values of size 1 to 5
  RecordProperty("largest_difference", std::to_string(worst));
}

TEST_P(ModelGolden, LossIsTheNegativeLogSoftmaxOfTheLogits) {
  const Golden golden = open_golden(GetParam());
  const Matrix<float> hidden = hidden_states(*golden.model, golden.ids);
  const std::size_t rows = golden.ids.size() - 1;
  const std::vector<double> losses =
      HeadForward(*golden.model)
          .nll(hidden.view().sub(0, rows, 0, hidden.cols()), std::span(golden.ids).subspan(1));
  ASSERT_EQ(losses.size(), rows);
  for (std::size_t t = 0; t < rows; ++t) {
    double sum = 0;
    for (const float logit : golden.logits.row(t)) {
      sum += std::exp(static_cast<double>(logit));
    }
    const auto target = static_cast<std::size_t>(golden.ids[t + 1]);
    EXPECT_NEAR(losses[t], std::log(sum) - static_cast<double>(golden.logits(t, target)), 1e-4);
  }
}

TEST_P(ModelGolden, LaterTokensDoNotChangeEarlierOnes) {
  const Golden golden = open_golden(GetParam());
  const Matrix<float> whole = hidden_states(*golden.model, golden.ids);
  const Matrix<float> part = hidden_states(*golden.model, std::span(golden.ids).first(7));
  for (std::size_t i = 0; i < part.size(); ++i) {
    EXPECT_NEAR(part.values()[i], whole.values()[i], 1e-4F);
  }
}

TEST_P(ModelGolden, SamplingFollowsTheProbabilitiesOfTheForwardPass) {
  const Golden golden = open_golden(GetParam());
  const ModelConfig& config = golden.model->config();
  constexpr std::size_t kLength = 9;
  std::vector<std::uint64_t> seeds(400);
  std::iota(seeds.begin(), seeds.end(), 1000);
  const auto sequences = sample_sequences(*golden.model, kLength, seeds);
  ASSERT_EQ(sequences.size(), seeds.size());
  // The mean loss of sampled ids estimates the entropy: the two agree only if the cache, the
  // positions and the choice are right.
  double surprise = 0;
  double expected = 0;
  double variance = 0;
  const HeadForward head(*golden.model);
  for (const auto& ids : sequences) {
    ASSERT_EQ(ids.size(), kLength);
    EXPECT_TRUE(!config.bos_id || ids[0] == *config.bos_id);
    const Matrix<float> logits = head.logits(hidden_states(*golden.model, ids).view());
    for (std::size_t t = 0; t + 1 < kLength; ++t) {
      double sum = 0;
      for (const float logit : logits.row(t)) {
        sum += std::exp(static_cast<double>(logit));
      }
      double entropy = 0;
      double second = 0;
      for (const float logit : logits.row(t)) {
        const double loss = std::log(sum) - static_cast<double>(logit);
        entropy += std::exp(-loss) * loss;
        second += std::exp(-loss) * loss * loss;
      }
      expected += entropy;
      variance += second - entropy * entropy;
      surprise +=
          std::log(sum) - static_cast<double>(logits(t, static_cast<std::size_t>(ids[t + 1])));
    }
  }
  EXPECT_NEAR(surprise, expected, 4 * std::sqrt(variance));
}

INSTANTIATE_TEST_SUITE_P(Families, ModelGolden,
                         ::testing::Values("llama_gqa_llama3", "llama_untied_bias", "mistral",
                                           "qwen2_tied", "qwen3"),
                         [](const auto& family) { return std::string(family.param); });

class Hessians : public ::testing::Test {
 protected:
  void SetUp() override { configure_torch(1); }
  using Sums = std::array<Matrix<float>, kSharedInputs.size()>;
  /// All sums over `passes` times the same sequence, times `scale`.
  static Sums sums_of(const ModelConfig& config, const BlockWeights& weights,
                      const Matrix<float>& hidden, int passes = 1, float scale = 1) {
    HessianSums sums(config, weights, kSharedInputs);
    for (int pass = 0; pass < passes; ++pass) {
      sums.add(hidden.view());
    }
    return sums.take(scale);
  }
};

TEST_F(Hessians, SumTwiceTheGramMatrixOfEachInput) {
  const Golden golden = open_golden("qwen2_tied");
  const ModelConfig& config = golden.model->config();
  const BlockWeights weights = golden.model->load_block(0);
  const Matrix<float> hidden = golden.model->embed(golden.ids);
  const Sums sums = sums_of(config, weights, hidden);

  // The first input is known by hand: the RMS norm of the embedding.
  Matrix<double> x(hidden.rows(), hidden.cols());
  for (std::size_t t = 0; t < hidden.rows(); ++t) {
    double square = 0;
    for (const float value : hidden.row(t)) {
      square += static_cast<double>(value) * static_cast<double>(value);
    }
    const double scale =
        1.0 / std::sqrt(square / static_cast<double>(hidden.cols()) + config.norm_eps);
    for (std::size_t j = 0; j < hidden.cols(); ++j) {
      x(t, j) =
          static_cast<double>(hidden(t, j)) * scale * static_cast<double>(weights.input_norm[j]);
    }
  }
  for (std::size_t i = 0; i < config.hidden; ++i) {
    for (std::size_t j = 0; j < config.hidden; ++j) {
      double expected = 0;
      for (std::size_t t = 0; t < x.rows(); ++t) {
        expected += 2 * x(t, i) * x(t, j);
      }
      EXPECT_NEAR(sums[0](i, j), expected, 1e-3);
    }
  }
  for (const Matrix<float>& sum : sums) {
    for (std::size_t i = 0; i < sum.rows(); ++i) {
      for (std::size_t j = 0; j < i; ++j) {
        ASSERT_EQ(sum(i, j), sum(j, i));
      }
    }
  }
}

/// With the other Linear set to zero, the block adds X W^T to its input, and tr(W H W^T) must be
/// twice its energy.
TEST_F(Hessians, InputsOfOutputAndDownAreThoseOfTheForwardPass) {
  const Golden golden = open_golden("llama_gqa_llama3");
  const ModelConfig& config = golden.model->config();
  const Matrix<float> hidden = golden.model->embed(golden.ids);
  for (const LinearKind kept : {LinearKind::kO, LinearKind::kDown}) {
    BlockWeights weights = golden.model->load_block(1);
    const LinearKind dropped = kept == LinearKind::kO ? LinearKind::kDown : LinearKind::kO;
    for (float& value : weights.linear[index_of(dropped)].values()) {
      value = 0;
    }
    const Matrix<float> w = weights.linear[index_of(kept)];
    const BlockForward block(config, weights);
    const Matrix<float> output = block.run(hidden.view());
    double energy = 0;
    for (std::size_t i = 0; i < output.size(); ++i) {
      energy += std::pow(static_cast<double>(output.values()[i] - hidden.values()[i]), 2);
    }
    const Sums sums = sums_of(config, weights, hidden);
    const Matrix<float>& h = sums[index_of(input_of(kept))];
    double trace = 0;
    for (std::size_t row = 0; row < w.rows(); ++row) {
      for (std::size_t i = 0; i < w.cols(); ++i) {
        for (std::size_t j = 0; j < w.cols(); ++j) {
          trace += static_cast<double>(w(row, i)) * static_cast<double>(h(i, j)) *
                   static_cast<double>(w(row, j));
        }
      }
    }
    EXPECT_NEAR(trace, 2 * energy, 1e-4 * energy) << name_of(kept);
  }
}

TEST_F(Hessians, WidthsBeyondOnePanelAreMirroredToo) {
  ModelConfig config = open_golden("llama_gqa_llama3").model->config();
  config.intermediate = 1030;  // one panel of 1024 and a rest
  BlockWeights weights = open_golden("llama_gqa_llama3").model->load_block(0);
  for (const LinearKind kind : {LinearKind::kGate, LinearKind::kUp, LinearKind::kDown}) {
    const auto [n, m] = linear_shape(config, kind);
    Matrix<float> wide(n, m);
    for (std::size_t i = 0; i < wide.size(); ++i) {
      wide.values()[i] = static_cast<float>((i * 37) % 101) * 0.01F - 0.5F;
    }
    weights.linear[index_of(kind)] = wide;
  }
  const Golden golden = open_golden("llama_gqa_llama3");
  const Matrix<float> hidden = golden.model->embed(golden.ids);
  const Sums sums = sums_of(config, weights, hidden);
  const Sums twice = sums_of(config, weights, hidden, 2);
  const Matrix<float>& h = sums[index_of(SharedInput::kDown)];
  const Matrix<float>& h2 = twice[index_of(SharedInput::kDown)];
  for (std::size_t i = 0; i < h.rows(); ++i) {
    for (std::size_t j = 0; j <= i; ++j) {
      ASSERT_EQ(h(i, j), h(j, i));
      ASSERT_EQ(h2(i, j), h2(j, i));
      ASSERT_NEAR(h2(i, j), 2 * h(i, j), 1e-4F * std::abs(h(i, j)) + 1e-4F);
    }
  }
  EXPECT_GT(h(1029, 1029), 0.0F);
}

TEST_F(Hessians, EqualInputsGiveEqualBits) {
  const Golden golden = open_golden("qwen3");
  const ModelConfig& config = golden.model->config();
  const BlockWeights weights = golden.model->load_block(0);
  const BlockForward block(config, weights);
  const Matrix<float> hidden = golden.model->embed(golden.ids);
  EXPECT_EQ(sums_of(config, weights, hidden), sums_of(config, weights, hidden));
  EXPECT_EQ(block.run(hidden.view()), block.run(hidden.view()));
}

TEST_F(Hessians, WhatIsNotWantedIsLeftOutAndChangesNothing) {
  const Golden golden = open_golden("llama_gqa_llama3");
  const ModelConfig& config = golden.model->config();
  const BlockWeights weights = golden.model->load_block(0);
  const Matrix<float> hidden = golden.model->embed(golden.ids);
  const Sums all = sums_of(config, weights, hidden, 2);
  HessianSums one(config, weights, std::array{SharedInput::kGateUp}, TorchPlace{});
  one.add(hidden.view());
  one.add(hidden.view());
  const Sums taken = one.take();
  for (const SharedInput input : kSharedInputs) {
    const std::size_t i = index_of(input);
    EXPECT_EQ(taken.at(i), input == SharedInput::kGateUp ? all.at(i) : Matrix<float>());
  }
}

TEST_F(Hessians, AScaleMultipliesEveryEntryOnce) {
  const Golden golden = open_golden("llama_gqa_llama3");
  const ModelConfig& config = golden.model->config();
  const BlockWeights weights = golden.model->load_block(0);
  const Matrix<float> hidden = golden.model->embed(golden.ids);
  const Sums sums = sums_of(config, weights, hidden, 3);
  constexpr float kScale = 1.0F / 3.0F;
  const Sums means = sums_of(config, weights, hidden, 3, kScale);
  for (std::size_t i = 0; i < sums.size(); ++i) {
    ASSERT_EQ(means.at(i).size(), sums.at(i).size());
    for (std::size_t e = 0; e < sums.at(i).size(); ++e) {
      ASSERT_EQ(means.at(i).values()[e], sums.at(i).values()[e] * kScale);
    }
  }
}

TEST_F(Hessians, SamplingIsRepeatable) {
  const Golden golden = open_golden("qwen3");
  const std::vector<std::uint64_t> seeds = {1, 2, 3};
  const auto first = sample_sequences(*golden.model, 20, seeds);
  EXPECT_EQ(first, sample_sequences(*golden.model, 20, seeds));
  EXPECT_NE(first[0], first[1]);
  EXPECT_NE(first, sample_sequences(*golden.model, 20, std::vector<std::uint64_t>{4, 5, 6}));
}

}  // namespace
}  // namespace btc
