#pragma once
/// Gradients through one block and through the head (LibTorch's autograd behind it), fp32 unless a
/// `Precision` says otherwise, one sequence at a time so that memory is bounded and sums have a
/// fixed order.

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>

#include "common/matrix.hpp"
#include "model/model_source.hpp"
#include "model/torch_place.hpp"

namespace btc {

class KeptOutputs;
class TransformerBlock;

/// Zeros in the shapes of `weights`, biases left out.
BlockWeights zeros_like(const BlockWeights& weights);

/// Some of the Linears of a block, by index_of(kind).
using LinearMask = std::array<bool, kLinearKinds.size()>;
inline constexpr LinearMask kAllLinears = {true, true, true, true, true, true, true};

/// One block with a backward pass.
class BlockBackward {
 public:
  /// Differentiates by all Linears and norms.
  BlockBackward(const ModelConfig& config, BlockWeights weights, TorchPlace place = {});
  /// Differentiates by the marked Linears only, which saves the time for the others.
  BlockBackward(const ModelConfig& config, BlockWeights weights, const LinearMask& linears,
                TorchPlace place = {});
  ~BlockBackward();
  BlockBackward(BlockBackward&&) noexcept;
  BlockBackward& operator=(BlockBackward&&) noexcept;

  /// Output [T, hidden] of one sequence; what `backward` needs is kept until then.
  /// @param input_gradient whether `backward` is to return the gradient for `hidden`
  /// @param hidden must live until `backward`
  Matrix<float> forward(MatrixView<const float> hidden, bool input_gradient);
  /// For L with dL/d(output) = `output_gradient`, adds up dL/d(weight) of every Linear and norm, as
  /// far as it is differentiated, until they are taken. Once after each `forward`.
  /// @return dL/d(hidden), or an empty matrix if it was not asked for
  Matrix<float> backward(MatrixView<const float> output_gradient);
  /// Both, for the squared distance of the output for `hidden` from the original block's, computed
  /// where the blocks are.
  /// @param sequence number of `hidden`
  /// @param channel_weights of the square of every output channel [hidden]; empty: all are 1
  /// @return the squared distance, summed in fp64
  double add_squared_error(KeptOutputs& original, std::size_t sequence,
                           MatrixView<const float> hidden, std::span<const float> channel_weights);
  /// Adds what `backward` added up since the last time to `sums` (@see zeros_like).
  void take_gradients(BlockWeights& sums);
  /// Both, for one sequence.
  Matrix<float> backward(MatrixView<const float> output_gradient, BlockWeights& sums);

  /// For this module, see `differentiated` and `take_gradients`.
  BlockBackward(TransformerBlock block, const LinearMask& linears);
  [[nodiscard]] TransformerBlock& block();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

/// Divergence of a sequence's predictions from those of another model.
struct HeadDivergence {
  double value = 0;        ///< sum over the rows of KL(target || prediction), in nats
  Matrix<float> gradient;  ///< of `value` for the hidden states; empty if not asked for
};

/// Final norm and head with a backward pass to the hidden states.
class HeadBackward {
 public:
  explicit HeadBackward(const ModelSource& model, TorchPlace place = {});
  ~HeadBackward();
  HeadBackward(HeadBackward&&) noexcept;
  HeadBackward& operator=(HeadBackward&&) noexcept;
  /// @param target [T, hidden] hidden states whose predictions, by the same head, are the target
  [[nodiscard]] HeadDivergence divergence(MatrixView<const float> hidden,
                                          MatrixView<const float> target, bool gradient) const;
  /// Gradient [T, hidden] of the negative log-likelihood, in nats, that row t predicts targets[t],
  /// summed over the targets. Rows without a target, those behind the last one, have none.
  /// @throws InputError for an id outside the vocabulary
  [[nodiscard]] Matrix<float> nll_gradient(MatrixView<const float> hidden,
                                           std::span<const std::int32_t> targets) const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace btc
