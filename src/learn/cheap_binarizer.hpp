#pragma once
/// The quantizer inside the learning loss: groups by magnitude, signs, least-squares scales; no
/// compensation, no codebook.

#include <cstddef>
#include <cstdint>

#include "common/matrix.hpp"
#include "quant/params.hpp"

namespace btc {

/// Binarizes one Linear over and over while it changes.
///
/// With groups and signs B frozen, Q is linear in the weights: per row, panel and group their
/// orthogonal projection on the span of 1 and B (of B alone for whole-row scales, which have no
/// mean). So the derivative of Q is the same projection.
class CheapBinarizer {
 public:
  /// @param panel columns that share scales
  CheapBinarizer(const BinarizeParams& params, std::size_t panel);

  /// Groups the entries [n, m] anew.
  void regroup(MatrixView<const float> weights);
  /// B = sign(w - mean of its row, panel and group). @pre grouped
  void choose_signs(MatrixView<const float> weights);
  /// The projection of `x` [n, m]: of the weights Q = mu + alpha B, of dL/dQ that for the weights.
  [[nodiscard]] Matrix<float> project(MatrixView<const float> x) const;

 private:
  BinarizeParams params_;
  std::size_t panel_;
  bool mean_;
  Matrix<std::uint8_t> group_;
  Matrix<std::int8_t> sign_;
};

}  // namespace btc
