#pragma once
/// The whole quantized model in training: its predictions drawn towards those of the original.

#include <cstddef>
#include <span>
#include <vector>

#include "common/matrix.hpp"
#include "model/block_forward.hpp"
#include "model/block_gradient.hpp"
#include "refine/scaled_block.hpp"

namespace btc {

/// One sequence as both models see it.
struct DistillSample {
  Matrix<float> embedded;    ///< [T, hidden] input of the first block
  Matrix<float> last_input;  ///< [T, hidden] input of the last block in the original model
};

/// KL(original || quantized) summed over the tokens of a sample, in nats, and its gradient.
struct DistillGradient {
  double divergence = 0;
  std::vector<float> change;  ///< [DistilledModel::size]
};

/// Gradients of samples, at least one, added up in their order, whoever computed them.
std::vector<float> sum_of(std::span<const DistillGradient> gradients);

/// Blocks as `ScaledBlock`s; their changes lie one after another. Embedding, final norm and head
/// are the original's.
class DistilledModel {
 public:
  /// @param place where blocks and head run
  DistilledModel(const ModelSource& original, std::vector<ScaledBlock> blocks,
                 TorchPlace place = {});

  [[nodiscard]] std::size_t size() const { return size_; }
  void set(std::span<const float> change);
  /// Back to the encoded model, @see ScaledBlock::restore.
  void restore();
  void round();
  [[nodiscard]] const std::vector<ScaledBlock>& blocks() const { return blocks_; }

  /// Divergence of each sample. One block is dense at a time.
  [[nodiscard]] std::vector<double> divergences(std::span<const DistillSample> samples) const;
  /// The same with gradients. Keeps the input of every block for every sample, and repeats each
  /// block's forward pass when its turn comes to be differentiated.
  [[nodiscard]] std::vector<DistillGradient> gradients(
      std::span<const DistillSample> samples) const;

 private:
  /// Moves the hidden states of all samples through block b.
  [[nodiscard]] std::vector<Matrix<float>> through(std::size_t b,
                                                   const std::vector<Matrix<float>>& hidden) const;
  [[nodiscard]] HeadDivergence diverge(const Matrix<float>& hidden, const DistillSample& sample,
                                       bool gradient) const;

  ModelConfig config_;
  std::vector<ScaledBlock> blocks_;
  BlockForward last_;  ///< of the original
  HeadBackward head_;
  std::size_t size_ = 0;
};

}  // namespace btc
