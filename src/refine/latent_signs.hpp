#pragma once
/// Signs in training: every entry of a Linear has a latent weight, and the signs are those that
/// represent the latent weights best. The gradient of the dense weights goes straight through to
/// the latent ones. @see docs/refinement.md

#include <cstddef>
#include <span>
#include <vector>

#include "backend/backend.hpp"
#include "common/matrix.hpp"
#include "quant/quantized_linear.hpp"

namespace btc {

/// The latent weights of one Linear, [n, m] by rows, as changes of a start.
class LatentSigns {
 public:
  /// @param linear as encoded, without salient columns
  /// @param original [n, m] the weights it stands for. The start lies halfway between them and what
  ///        `linear` decodes to: near the present signs, and nearer where they are in doubt
  /// @param codewords of its vector length; null for free signs. Must outlive this object
  LatentSigns(const QuantizedLinear& linear, MatrixView<const float> original,
              const CodewordSearch* codewords);

  [[nodiscard]] std::size_t size() const { return start_.size(); }
  /// What a change of 1 is: the mean magnitude of the original weights.
  [[nodiscard]] float unit() const { return unit_; }
  /// Sets groups, signs and indices of `linear` for the latent weights `start + unit * change`, its
  /// scales being what they are. With a codebook, two groups and scales of whole rows, each group
  /// keeps its number of entries in each row and has those of its place by |latent| / alpha_col;
  /// other groups stay: their errors are small already, and training them made models worse.
  /// Signs are the nearest: the squared error is smallest, codewords as in encode with equal
  /// importance of all columns.
  /// @param unit of a change in this call
  void choose(std::span<const float> change, float unit, QuantizedLinear& linear) const;

 private:
  void choose_groups(std::size_t row, std::span<const float> latent, QuantizedLinear& linear) const;
  void choose_codewords(std::size_t row, std::span<const float> latent,
                        QuantizedLinear& linear) const;

  Matrix<float> start_;
  float unit_ = 0;
  std::vector<std::ptrdiff_t> upper_size_;  ///< [n] entries of group 1; empty: groups are frozen
  const CodewordSearch* codewords_ = nullptr;
};

}  // namespace btc
