#pragma once
/// Sums of the Hessians of a block's inputs over sequences (LibTorch behind it).

#include <array>
#include <memory>
#include <span>

#include "common/matrix.hpp"
#include "model/model_source.hpp"
#include "model/torch_place.hpp"

namespace btc {

/// Sum over sequences of 2 X^T X for inputs X [T, m] of a block's Linears. The sums stay where
/// LibTorch computes until they are taken. @see quant/hessian.hpp for the scale of H
class HessianSums {
 public:
  /// @param weights must outlive this object  @param wanted inputs that are summed
  HessianSums(const ModelConfig& config, const BlockWeights& weights,
              std::span<const SharedInput> wanted, TorchPlace place = {});
  HessianSums(const ModelConfig& config, BlockWeights&& weights,
              std::span<const SharedInput> wanted, TorchPlace place = {}) = delete;
  ~HessianSums();
  HessianSums(HessianSums&&) noexcept;
  HessianSums& operator=(HessianSums&&) noexcept;
  /// Adds one sequence, from position 0, by its hidden states [T, hidden] before the block; no
  /// output of the block is computed. On a device it may be running still when this returns; two
  /// sequences at most wait for it. The hidden states may change or go.
  void add(MatrixView<const float> hidden);
  /// Moves the sums out, each entry times `scale` (in fp32), by index_of(SharedInput): [m, m],
  /// exactly symmetric, or empty where it was not wanted. Ends this object's use, and leaves no
  /// memory taken on a device.
  [[nodiscard]] std::array<Matrix<float>, kSharedInputs.size()> take(float scale = 1);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace btc
