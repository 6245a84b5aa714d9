#pragma once
/// A block whose transform is trained.
///
/// Everything is seen from the original block: the quantized, transformed block computes what the
/// original computes with the weights Q(W') T^T, where W' = W T^-T is what is quantized (v_proj and
/// up_proj also have rows that a merged transform changes, and that change back). With groups and
/// signs frozen Q is a projection, so the gradient is exact between the places where a sign flips.
/// It knows that a factor and its inverse may exchange scale, which a gradient straight through the
/// quantizer does not: that one lowers its loss by shrinking T.

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>

#include "learn/block_transform.hpp"
#include "learn/params.hpp"
#include "learn/sign_similarity.hpp"
#include "model/linear_tensors.hpp"
#include "refine/block_loss.hpp"

namespace btc {

/// Trained values are one flat vector of changes, see `TrainedTransform`. Weights are transformed
/// and quantized where the block runs.
class TransformedBlock {
 public:
  /// @param panel columns that share scales, 0: all of a Linear
  TransformedBlock(const ModelConfig& model, BlockWeights original, const TransformParams& params,
                   const BinarizeParams& binarize, std::size_t panel, std::uint64_t seed,
                   TorchPlace place = {});
  ~TransformedBlock();
  TransformedBlock(TransformedBlock&&) noexcept;
  TransformedBlock& operator=(TransformedBlock&&) noexcept;

  [[nodiscard]] std::size_t size() const;
  /// @param rounded with factors as they would be stored
  /// @throws NumericError if a factor is not finite or its condition number above `kMaxCondition`
  void set(std::span<const float> change, bool rounded);
  /// Groups the present weights anew.
  void regroup();
  /// Chooses the signs of the present weights anew.
  void choose_signs();
  /// What stands for the original's weights: quantized with the groups and signs chosen last.
  [[nodiscard]] BlockWeights effective() const;
  /// The block of these, where this one is. It must not outlive this one.
  [[nodiscard]] BlockForward forward() const;
  /// Adds the gradient for the changes. @param gradient dL/d(effective weights)
  void add_gradient(const LinearTensors& gradient, std::span<float> sums) const;
  /// The same of the logarithm of the squared error of the block's output on the next sequences.
  /// @param original where this block is. @param sequences their numbers
  void add_error_gradient(KeptOutputs& original, const SequenceStream& stream,
                          std::span<const std::size_t> sequences, std::span<float> sums) const;
  /// Adds the gradient of the auxiliary losses, by T of each Linear's input.
  /// @return their mean over the Linears
  SignLosses add_sign_gradient(std::size_t vector_length, const TransformParams& params,
                               std::span<float> sums) const;
  /// The present transform; factors are empty where only signs are learned.
  [[nodiscard]] BlockTransform transform() const;
  /// Frobenius distance of the present factors from the start.
  [[nodiscard]] double distance() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace btc
