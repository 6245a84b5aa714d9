#include "eval/perplexity.hpp"

#include <gmock/gmock.h>

#include <cmath>

#include "common/error.hpp"
#include "model/block_forward.hpp"
#include "model/checkpoint.hpp"

namespace btc {
namespace {

/// A model whose logits can be written down: no block changes the hidden state (o and down are
/// zero), the embedding is the identity, so that after id i the logits are row i of a table.
class TableModel final : public ModelSource {
 public:
  explicit TableModel(std::size_t vocab) : table_(vocab, vocab) {
    config_.family = "llama";
    config_.hidden = vocab;
    config_.intermediate = 6;
    config_.blocks = 2;
    config_.heads = 1;
    config_.kv_heads = 1;
    config_.head_dim = 2;
    config_.vocab_size = vocab;
    config_.norm_eps = 0;
    for (std::size_t i = 0; i < vocab; ++i) {
      for (std::size_t j = 0; j < vocab; ++j) {
        table_(i, j) = static_cast<float>((i * 5 + j * 3) % 7) - 3.0F;
      }
    }
  }

  [[nodiscard]] const ModelConfig& config() const override { return config_; }
  [[nodiscard]] BlockWeights load_block(int /*block*/) const override {
    ++loads;
    BlockWeights weights;
    for (const LinearKind kind : kLinearKinds) {
      const auto [n, m] = linear_shape(config_, kind);
      const bool output = kind == LinearKind::kO || kind == LinearKind::kDown;
      weights.linear.at(index_of(kind)) = Matrix<float>(n, m, output ? 0.0F : 0.1F);
    }
    weights.input_norm.assign(config_.hidden, 1.0F);
    weights.post_attention_norm.assign(config_.hidden, 1.0F);
    return weights;
  }
  [[nodiscard]] Matrix<float> embed(std::span<const std::int32_t> ids) const override {
    Matrix<float> rows(ids.size(), config_.hidden);
    for (std::size_t t = 0; t < ids.size(); ++t) {
      rows(t, static_cast<std::size_t>(ids[t])) = 1.0F;
    }
    return rows;
  }
  [[nodiscard]] std::vector<float> final_norm() const override {
    // The norm of a unit vector multiplies it by sqrt(hidden).
    return std::vector<float>(config_.hidden, 1.0F / std::sqrt(static_cast<float>(config_.hidden)));
  }
  [[nodiscard]] Matrix<float> head() const override {
    Matrix<float> head(config_.vocab_size, config_.hidden);
    for (std::size_t i = 0; i < head.rows(); ++i) {
      for (std::size_t j = 0; j < head.cols(); ++j) {
        head(i, j) = table_(j, i);
      }
    }
    return head;
  }
  [[nodiscard]] double loss(std::int32_t from, std::int32_t to) const {
    const auto row = table_.row(static_cast<std::size_t>(from));
    double sum = 0;
    for (const float logit : row) {
      sum += std::exp(static_cast<double>(logit));
    }
    return std::log(sum) - static_cast<double>(row[static_cast<std::size_t>(to)]);
  }

  mutable int loads = 0;

 private:
  ModelConfig config_;
  Matrix<float> table_;
};

Matrix<std::int32_t> windows_of(std::size_t count, std::size_t length, std::size_t vocab) {
  Matrix<std::int32_t> windows(count, length);
  for (std::size_t i = 0; i < windows.size(); ++i) {
    windows.values()[i] = static_cast<std::int32_t>((i * i + 3 * i) % vocab);
  }
  return windows;
}

class Perplexity : public ::testing::Test {
 protected:
  void SetUp() override { configure_torch(1); }
};

TEST_F(Perplexity, AveragesTheLossOfEachNextId) {
  const TableModel model(9);
  const Matrix<std::int32_t> windows = windows_of(3, 5, 9);
  const std::vector<double> losses = window_nll(model, windows.view(), 2);
  ASSERT_EQ(losses.size(), 3U);
  double total = 0;
  for (std::size_t w = 0; w < 3; ++w) {
    double expected = 0;
    for (std::size_t t = 0; t < 4; ++t) {
      expected += model.loss(windows(w, t), windows(w, t + 1)) / 4;
    }
    EXPECT_NEAR(losses[w], expected, 1e-5);
    total += expected;
  }
  EXPECT_NEAR(perplexity(losses), std::exp(total / 3), 1e-4);
}

TEST_F(Perplexity, LoadsEachBlockOncePerGroupOfWindows) {
  const TableModel model(9);
  const Matrix<std::int32_t> windows = windows_of(5, 4, 9);
  (void)window_nll(model, windows.view(), 2);
  EXPECT_EQ(model.loads, 3 * 2);
}

TEST_F(Perplexity, AWindowGivesTheSameBitsWhateverStandsBesideIt) {
  const auto model = Checkpoint::open(BTC_SOURCE_DIR "/tests/golden/models/qwen3");
  const Matrix<std::int32_t> windows = windows_of(5, 30, 71);
  const std::vector<double> together = window_nll(*model, windows.view(), 5);
  EXPECT_EQ(window_nll(*model, windows.view(), 1), together);
  const std::vector<double> alone =
      window_nll(*model, windows.view().sub(3, 4, 0, windows.cols()), 7);
  ASSERT_EQ(alone.size(), 1U);
  EXPECT_EQ(alone[0], together[3]);
}

TEST_F(Perplexity, RefusesWindowsWithNothingToPredict) {
  const TableModel model(9);
  const Matrix<std::int32_t> windows = windows_of(2, 1, 9);
  EXPECT_THROW((void)window_nll(model, windows.view(), 1), InputError);
  EXPECT_TRUE(window_nll(model, {}, 1).empty());
}

}  // namespace
}  // namespace btc
