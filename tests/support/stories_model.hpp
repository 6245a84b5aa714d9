#pragma once
/// A real trained model in another project's file format: llama2.c's stories260k.

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <filesystem>
#include <span>
#include <string>
#include <vector>

#include "io/atomic_file.hpp"
#include "model/model_source.hpp"

namespace btc::test {

/// Fetched data beside the source tree; it may be absent.
inline std::filesystem::path data_folder() { return BTC_SOURCE_DIR "/../shared/data"; }

/// The legacy llama2.c file: 7 int32 of sizes, then fp32 tensors, per kind all blocks together.
class StoriesModel final : public ModelSource {
 public:
  explicit StoriesModel(const std::filesystem::path& path) : bytes_(read_text_file(path)) {
    std::array<std::int32_t, 7> sizes{};
    std::memcpy(sizes.data(), bytes_.data(), sizeof sizes);
    config_.family = "llama";
    config_.hidden = static_cast<std::size_t>(sizes[0]);
    config_.intermediate = static_cast<std::size_t>(sizes[1]);
    config_.blocks = sizes[2];
    config_.heads = static_cast<std::size_t>(sizes[3]);
    config_.kv_heads = static_cast<std::size_t>(sizes[4]);
    config_.vocab_size = static_cast<std::size_t>(sizes[5]);
    config_.head_dim = config_.hidden / config_.heads;
    config_.norm_eps = 1e-5;
    config_.tied_head = true;
    std::size_t at = sizeof sizes;
    const auto take = [&](std::size_t count) {
      std::vector<float> values(count);
      std::memcpy(values.data(), bytes_.data() + at, count * sizeof(float));
      at += count * sizeof(float);
      return values;
    };
    const auto blocks = static_cast<std::size_t>(config_.blocks);
    const auto take_linear = [&](LinearKind kind) {
      const auto [n, m] = linear_shape(config_, kind);
      linears_.at(index_of(kind)) = take(blocks * n * m);
    };
    embedding_ = take(config_.vocab_size * config_.hidden);
    input_norms_ = take(blocks * config_.hidden);
    for (const LinearKind kind : {LinearKind::kQ, LinearKind::kK, LinearKind::kV, LinearKind::kO}) {
      take_linear(kind);
    }
    post_attention_norms_ = take(blocks * config_.hidden);
    for (const LinearKind kind : {LinearKind::kGate, LinearKind::kDown, LinearKind::kUp}) {
      take_linear(kind);
    }
    final_norm_ = take(config_.hidden);
  }

  [[nodiscard]] const ModelConfig& config() const override { return config_; }
  [[nodiscard]] BlockWeights load_block(int block) const override {
    BlockWeights weights;
    const auto b = static_cast<std::size_t>(block);
    for (const LinearKind kind : kLinearKinds) {
      const auto [n, m] = linear_shape(config_, kind);
      Matrix<float>& linear = weights.linear.at(index_of(kind));
      linear = Matrix<float>(n, m);
      const bool rotated = kind == LinearKind::kQ || kind == LinearKind::kK;
      for (std::size_t row = 0; row < n; ++row) {
        const std::size_t from = b * n + (rotated ? interleaved_row(row) : row);
        std::copy_n(linears_.at(index_of(kind)).begin() + static_cast<std::ptrdiff_t>(from * m), m,
                    linear.row(row).begin());
      }
    }
    weights.input_norm = slice(input_norms_, b);
    weights.post_attention_norm = slice(post_attention_norms_, b);
    return weights;
  }
  [[nodiscard]] Matrix<float> embed(std::span<const std::int32_t> ids) const override {
    Matrix<float> rows(ids.size(), config_.hidden);
    for (std::size_t t = 0; t < ids.size(); ++t) {
      const auto row = slice(embedding_, static_cast<std::size_t>(ids[t]));
      std::copy(row.begin(), row.end(), rows.row(t).begin());
    }
    return rows;
  }
  [[nodiscard]] std::vector<float> final_norm() const override { return final_norm_; }
  [[nodiscard]] Matrix<float> head() const override {
    Matrix<float> head(config_.vocab_size, config_.hidden);
    head.values() = embedding_;
    return head;
  }

 private:
  /// The file rotates neighbours 2i and 2i + 1; we rotate i and i + half.
  [[nodiscard]] std::size_t interleaved_row(std::size_t row) const {
    const std::size_t half = config_.head_dim / 2;
    const std::size_t head = row / config_.head_dim;
    const std::size_t inside = row % config_.head_dim;
    return head * config_.head_dim + 2 * (inside % half) + inside / half;
  }
  [[nodiscard]] std::vector<float> slice(const std::vector<float>& values, std::size_t i) const {
    const auto begin = values.begin() + static_cast<std::ptrdiff_t>(i * config_.hidden);
    return {begin, begin + static_cast<std::ptrdiff_t>(config_.hidden)};
  }

  std::string bytes_;
  ModelConfig config_;
  std::vector<float> embedding_, input_norms_, post_attention_norms_, final_norm_;
  std::array<std::vector<float>, kLinearKinds.size()> linears_;
};

}  // namespace btc::test
