#pragma once
/// The arithmetic of one block and of the head on tensors, shared by the forward pass over a
/// sequence and by sampling. Private to this module: only `*_torch.cpp` files include it.

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "common/matrix.hpp"
#include "model/linear_tensors.hpp"
#include "model/model_source.hpp"
#include "model/rotary.hpp"
#include "model/token_forest.hpp"
#include "model/torch_place.hpp"

namespace at {
class Tensor;
}
namespace c10 {
struct TensorOptions;
}

namespace btc {

/// fp32 at `place`, for tensors that are made there.
c10::TensorOptions options_at(const TorchPlace& place);
/// Ids as columns [T, 1] of `rows` [T, vocab], where those are: what at::gather takes.
/// @throws InputError for an id outside the vocabulary
at::Tensor columns_of(std::span<const std::int32_t> ids, const at::Tensor& rows);
class BlockForward;

/// Row-wise parts of a block: N rows are the tokens of a sequence, or one token of N sequences.
/// Tensors go in and come out at the place of the block.
class TransformerBlock {
 public:
  TransformerBlock(const ModelConfig& config, BlockWeights weights, TorchPlace place = {});
  /// The same without taking the weights. On the CPU they must outlive the block; a device has
  /// copies.
  static TransformerBlock borrowing(const ModelConfig& config, const BlockWeights& weights,
                                    TorchPlace place = {});
  /// Of these Linears; norms and biases borrowed likewise.
  static TransformerBlock of_linears(const ModelConfig& config, const LinearTensors& linears,
                                     const BlockWeights& rest, TorchPlace place,
                                     Precision precision);
  ~TransformerBlock();
  TransformerBlock(TransformerBlock&&) noexcept;
  TransformerBlock& operator=(TransformerBlock&&) noexcept;

  [[nodiscard]] const ModelConfig& config() const;
  [[nodiscard]] const TorchPlace& place() const;
  /// Input of q, k and v: the norm of x [N, hidden].
  [[nodiscard]] at::Tensor attention_input(const at::Tensor& x) const;
  /// Input of gate and up.
  [[nodiscard]] at::Tensor mlp_input(const at::Tensor& x) const;
  /// Queries [N, heads, head_dim], keys and values [N, kv_heads, head_dim], before the rotation.
  void project(const at::Tensor& input, at::Tensor& q, at::Tensor& k, at::Tensor& v) const;
  /// The same; queries and keys rotated by `cosine`, `sine`, which broadcast to [N, head_dim / 2].
  void project(const at::Tensor& input, const at::Tensor& cosine, const at::Tensor& sine,
               at::Tensor& q, at::Tensor& k, at::Tensor& v) const;
  /// Input of down: silu(gate) * up.
  [[nodiscard]] at::Tensor gated(const at::Tensor& input) const;
  /// x + the Linear o or down of `input`.
  [[nodiscard]] at::Tensor add_linear(const at::Tensor& x, LinearKind kind,
                                      const at::Tensor& input) const;
  /// Attention output [T, heads * head_dim] of one sequence from position 0, causal, for the input
  /// of q, k and v [T, hidden]. @param rotary made longer where it is too short
  [[nodiscard]] at::Tensor attend(const at::Tensor& input, RotaryTable& rotary) const;
  /// What stands behind attention: output of the block for its input x and the attention output
  /// `mixed`, row by row.
  [[nodiscard]] at::Tensor behind_attention(const at::Tensor& x, const at::Tensor& mixed) const;
  /// The whole block: x [T, hidden] of one sequence to its output.
  [[nodiscard]] at::Tensor forward(const at::Tensor& x, RotaryTable& rotary) const;

  /// Makes all weights and norms leaves of autograd. @pre not made in inference mode
  void require_gradients();
  /// The marked Linears only.
  void require_gradients(const std::array<bool, kLinearKinds.size()>& linears);
  /// Adds the gradients that autograd left to `sums`, of the same shapes, and clears them. Biases
  /// have none.
  void take_gradients(BlockWeights& sums);
  /// Those of the Linears, which it clears.
  [[nodiscard]] LinearTensors take_linear_gradients();

 private:
  TransformerBlock(const ModelConfig& config, TorchPlace place);

  struct State;
  std::unique_ptr<State> state_;
};

/// Output [T, hidden] for the input x of one sequence, at the place of the block.
at::Tensor run_block(const BlockForward& block, const at::Tensor& x);

/// Attention output [N, heads * head_dim] of the N tokens of a forest, each to its own path, for
/// the input of q, k and v [N, hidden]. @param rotary made longer where it is too short
at::Tensor attend(const TransformerBlock& block, const at::Tensor& input, const TokenForest& forest,
                  RotaryTable& rotary);

/// Final norm and head.
class TransformerHead {
 public:
  explicit TransformerHead(const ModelSource& model, TorchPlace place = {});
  ~TransformerHead();
  TransformerHead(TransformerHead&&) noexcept;
  TransformerHead& operator=(TransformerHead&&) noexcept;
  [[nodiscard]] const TorchPlace& place() const;
  /// [N, hidden] -> [N, vocab], at the place of the head
  [[nodiscard]] at::Tensor logits(const at::Tensor& hidden) const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace btc
