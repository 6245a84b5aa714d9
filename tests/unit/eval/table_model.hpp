#pragma once
/// A model whose logits can be written down.

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <span>
#include <vector>

#include "model/model_source.hpp"

namespace btc::test {

/// No block changes the hidden state (o and down are zero), the embedding is the identity, so that
/// after id i the logits are row i of a table.
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
  /// -log of the probability of `to` after `from`.
  [[nodiscard]] double loss(std::int32_t from, std::int32_t to) const {
    const auto row = table_.row(static_cast<std::size_t>(from));
    double sum = 0;
    for (const float logit : row) {
      sum += std::exp(static_cast<double>(logit));
    }
    return std::log(sum) - static_cast<double>(row[static_cast<std::size_t>(to)]);
  }
  /// The first of the likeliest ids after `from`.
  [[nodiscard]] std::int32_t likeliest(std::int32_t from) const {
    const auto row = table_.row(static_cast<std::size_t>(from));
    return static_cast<std::int32_t>(std::max_element(row.begin(), row.end()) - row.begin());
  }

  mutable int loads = 0;

 private:
  ModelConfig config_;
  Matrix<float> table_;
};

}  // namespace btc::test
