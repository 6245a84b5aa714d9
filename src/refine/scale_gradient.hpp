#pragma once
/// The scales of a QuantizedLinear as a list of values, and the way back from the gradient of the
/// dense weights to theirs. Decoding is linear in each scale, so this needs no autograd:
///
///     w = alpha * alpha_col * B + mu:                 dL/d alpha = sum of dL/dw * alpha_col * B,
///     ... w = salient_alpha0 * B + salient_alpha1 * R + salient_mu

#include <cstddef>
#include <span>
#include <vector>

#include "common/matrix.hpp"
#include "quant/quantized_linear.hpp"

namespace btc {

/// The scales that a Linear has, always in this order. A view: the Linear must outlive it.
struct ScaleFields {
  std::span<float> alpha, mu, salient_alpha, salient_mu, alpha_col, salient_alpha_col, group_ratio;

  [[nodiscard]] std::size_t size() const {
    return alpha.size() + mu.size() + salient_alpha.size() + salient_mu.size() + alpha_col.size() +
           salient_alpha_col.size() + group_ratio.size();
  }
};
ScaleFields scale_fields(QuantizedLinear& linear);

/// Natural step of each scale, in the order of the fields: its own magnitude, for a mean that of
/// the scale beside it. 0, never to be changed, where a scale decodes nothing: an empty group's,
/// and the column scale of a salient column.
std::vector<float> scale_units(const QuantizedLinear& linear);

/// dL/d(scale) in the order of the fields, from dL/dw [n, m]. Sums in double, over columns within a
/// row and over rows within a column, ascending.
std::vector<float> scale_gradient(const QuantizedLinear& linear,
                                  MatrixView<const float> weight_gradient);

}  // namespace btc
