#pragma once
/// A block of a golden model, binarized by the signs of its weights, and inputs for it.

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "common/half.hpp"
#include "common/rng.hpp"
#include "model/block_forward.hpp"
#include "model/checkpoint.hpp"
#include "refine/refine_block.hpp"

namespace btc::test {

/// One sign, one scale per row and one per column: W ~ alpha_i * B.
inline QuantizedLinear signs_of(const Matrix<float>& w) {
  QuantizedLinear linear;
  linear.rows = w.rows();
  linear.cols = linear.panel = w.cols();
  linear.signs = BitMatrix(w.rows(), w.cols());
  linear.alpha = Matrix<float>(w.rows(), 1);
  linear.alpha_col.assign(w.cols(), 1.0F);
  for (std::size_t i = 0; i < w.rows(); ++i) {
    float sum = 0;
    for (std::size_t j = 0; j < w.cols(); ++j) {
      linear.signs.set(i, j, w(i, j) >= 0);
      sum += std::abs(w(i, j));
    }
    linear.alpha(i, 0) = round_to_fp16(sum / static_cast<float>(w.cols()));
  }
  return linear;
}

struct RefineFixture {
  std::unique_ptr<Checkpoint> model;
  BlockWeights original;

  explicit RefineFixture(const std::string& name)
      : model(
            Checkpoint::open(std::filesystem::path(BTC_SOURCE_DIR) / "tests/golden/models" / name)),
        original(model->load_block(0)) {
    configure_torch(1);
  }

  [[nodiscard]] ScaledBlock block() const {
    ScaledBlock::Linears linear;
    for (std::size_t i = 0; i < linear.size(); ++i) {
      linear.at(i) = signs_of(original.linear.at(i));
    }
    return {std::move(linear), original};
  }
  /// Sequence s of 12 tokens, normal.
  [[nodiscard]] Matrix<float> sequence(std::size_t s) const {
    Rng rng(derive_seed(1, "sequence", s));
    Matrix<float> hidden(12, model->config().hidden);
    for (float& value : hidden.values()) {
      value = static_cast<float>(rng.normal());
    }
    return hidden;
  }
  [[nodiscard]] OpenSequences sequences() const {
    return [this](const std::vector<std::size_t>& order) -> SequenceStream {
      return [this, order, next = std::size_t{0}]() mutable { return sequence(order.at(next++)); };
    };
  }
};

}  // namespace btc::test
