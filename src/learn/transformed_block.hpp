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
#include <span>
#include <vector>

#include "learn/block_transform.hpp"
#include "learn/cheap_binarizer.hpp"
#include "learn/kronecker_rows.hpp"
#include "learn/params.hpp"
#include "learn/sign_similarity.hpp"

namespace btc {

/// Trained values are one flat vector of changes: for each input latent signs (the sign is theirs),
/// P1 and P2.
class TransformedBlock {
 public:
  /// @param panel columns that share scales, 0: all of a Linear
  TransformedBlock(const ModelConfig& model, BlockWeights original, const TransformParams& params,
                   const BinarizeParams& binarize, std::size_t panel, std::uint64_t seed);

  [[nodiscard]] std::size_t size() const { return start_.size(); }
  /// @param rounded with factors as they would be stored
  /// @throws NumericError if a factor is not finite or its condition number above `kMaxCondition`
  void set(std::span<const float> change, bool rounded);
  /// Groups the present weights anew.
  void regroup();
  /// Chooses the signs of the present weights anew.
  void choose_signs();
  /// What stands for the original's weights: quantized with the groups and signs chosen last.
  [[nodiscard]] BlockWeights effective() const;
  /// Adds the gradient for the changes. @param gradient dL/d(effective weights)
  void add_gradient(const BlockWeights& gradient, std::span<float> sums) const;
  /// Adds the gradient of the auxiliary losses, by T of each Linear's input.
  /// @return their mean over the Linears
  SignLosses add_sign_gradient(std::size_t vector_length, const TransformParams& params,
                               std::span<float> sums) const;
  /// The present transform; factors are empty where only signs are learned.
  [[nodiscard]] BlockTransform transform() const;
  /// Frobenius distance of the present factors from the start.
  [[nodiscard]] double distance() const;

 private:
  struct Layout {
    std::size_t signs = 0, p1 = 0, p2 = 0;  ///< first value of each part
    std::size_t latent = 0;                 ///< number of latent signs
    std::size_t repeat = 1;                 ///< query heads that share a sign (`o`)
  };
  void add_start(const ModelConfig& model, SharedInput input, std::uint64_t seed);
  [[nodiscard]] std::size_t latent_of(const Layout& layout, std::size_t column) const;
  void enter();
  /// W of a Linear with what merged transforms change in its rows.
  [[nodiscard]] Matrix<float> merged(LinearKind kind) const;
  /// Adds the gradient for T of dL/dW' of a Linear.
  void add_entered_gradient(LinearKind kind, MatrixView<const float> gradient,
                            std::array<TransformGradient, kSharedInputs.size()>& sums) const;
  void add_to(const std::array<TransformGradient, kSharedInputs.size()>& gradient,
              std::span<float> sums) const;

  BlockWeights original_;
  TransformParams params_;
  std::size_t head_dim_, shared_by_;
  std::vector<CheapBinarizer> binarizers_;  ///< by index_of(LinearKind)
  std::vector<float> start_, present_;
  std::array<Layout, kSharedInputs.size()> layout_;
  std::array<TransformValues, kSharedInputs.size()> values_;
  std::array<Matrix<float>, kLinearKinds.size()> entered_;
};

}  // namespace btc
