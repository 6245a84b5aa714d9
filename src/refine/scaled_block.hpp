#pragma once
/// A quantized block whose scales and norm gains are trained, and its signs and groups if asked
/// for.

#include <array>
#include <cstddef>
#include <span>
#include <vector>

#include "common/ids.hpp"
#include "model/model_source.hpp"
#include "quant/quantized_linear.hpp"
#include "quant/transform.hpp"
#include "refine/latent_signs.hpp"

namespace btc {

/// Whether norm gains are trained too.
enum class NormGains { kTrained, kFrozen };

/// Trained values are `start * (1 + change)` (a mean moves in units of its scale), so that one
/// learning rate fits all of them. Changes are one flat vector: the scales of the Linears in their
/// order, then input norm, post-attention norm, and q and k norm where the model has them, then the
/// latent weights of the Linears where signs are trained.
class ScaledBlock {
 public:
  using Linears = std::array<QuantizedLinear, kLinearKinds.size()>;

  /// @param linear one that is empty (no rows) is not there: nothing of it is trained or decoded
  /// @param rest norms and biases; its Linears are not looked at
  /// @param online factors that the inputs pass before the Linears; they are not trained
  ScaledBlock(Linears linear, BlockWeights rest, NormGains norms = NormGains::kTrained,
              OnlineFactors online = {});

  /// Makes the signs trained values too.
  /// @param latent one per Linear
  /// @param rate how many times as far a latent weight moves for the same change, in its unit
  void train_signs(std::vector<LatentSigns> latent, double rate);

  /// Number of trained values.
  [[nodiscard]] std::size_t size() const { return size_; }
  /// Values of all changes; 0 gives the start bit for bit, but for signs and groups that are
  /// trained: those are chosen for the latent start.
  void set(std::span<const float> change);
  /// Back to the start, trained signs and groups included.
  void restore();
  /// Rounds the present values to fp16, or to 8 bits, as they are stored.
  void round();
  /// Dense weights for the present values: `dequantize` of each Linear, factors folded in.
  [[nodiscard]] BlockWeights weights() const;
  /// Those of one Linear, by index_of(LinearKind).
  [[nodiscard]] Matrix<float> dense(std::size_t linear) const;
  /// sums[k] += dL/d(change[k]) for dL/d(weight) of every Linear and norm.
  void add_gradient(const BlockWeights& gradient, std::span<float> sums) const;

  [[nodiscard]] const Linears& linear() const { return linear_; }
  [[nodiscard]] const OnlineFactors& online() const { return online_; }
  /// Norms and biases with the present values; Linears empty.
  [[nodiscard]] const BlockWeights& rest() const { return rest_; }

 private:
  /// Every array of trained values, in the order of the changes.
  [[nodiscard]] std::vector<std::span<float>> fields();
  /// dL/dQ of a Linear, whose dense weights are Q with the online factors folded in.
  [[nodiscard]] Matrix<float> gradient_of_stored(const BlockWeights& gradient,
                                                 std::size_t linear) const;

  Linears linear_;
  OnlineFactors online_;
  BlockWeights rest_;
  std::size_t size_ = 0;
  std::vector<float> start_, unit_;  ///< of scales and gains
  std::vector<LatentSigns> latent_;  ///< one per Linear, or none
  Linears encoded_;                  ///< the start where signs are trained, else empty
  std::vector<float> latent_unit_;   ///< [Linears]
};

}  // namespace btc
