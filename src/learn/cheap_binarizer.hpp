#pragma once
/// The quantizer inside the learning loss: groups by magnitude, signs, least-squares scales; no
/// compensation, no codebook.

#include <cstddef>
#include <cstdint>
#include <memory>

#include "quant/params.hpp"

namespace at {
class Tensor;
}

namespace btc {

/// Binarizes one Linear over and over while it changes, where its tensors are.
///
/// With groups and signs B frozen, Q is linear in the weights: per row, panel and group their
/// orthogonal projection on the span of 1 and B (of B alone for whole-row scales, which have no
/// mean). So the derivative of Q is the same projection.
class CheapBinarizer {
 public:
  /// @param panel columns that share scales
  CheapBinarizer(const BinarizeParams& params, std::size_t panel);
  ~CheapBinarizer();
  CheapBinarizer(CheapBinarizer&&) noexcept;
  CheapBinarizer& operator=(CheapBinarizer&&) noexcept;

  /// Groups the entries [n, m] anew; panels are shared out over LibTorch's threads.
  void regroup(const at::Tensor& weights);
  /// B = sign(w - mean of its row, panel and group). @pre grouped
  void choose_signs(const at::Tensor& weights);
  /// The projection of `x`, the rows from `first` on of a matrix [n, m]: of the weights
  /// Q = mu + alpha B, of dL/dQ that for the weights.
  [[nodiscard]] at::Tensor project(const at::Tensor& x, std::int64_t first = 0) const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace btc
