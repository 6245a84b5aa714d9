#pragma once
/// Sums of squares in which every channel has a weight. Only `*_torch.cpp` files of this module
/// include it.

#include <cstddef>
#include <span>

#include "model/torch_place.hpp"

namespace at {
class Tensor;
}

namespace btc {

/// Weights [1, channels] at `place`; undefined for none, which mean the same as ones, bit for bit.
at::Tensor channel_weights_at(const TorchPlace& place, std::span<const float> weights,
                              std::size_t channels);
/// Weighted sum of the squares of `difference` [T, channels], in fp64.
double sum_of_squares(const at::Tensor& difference, const at::Tensor& weights);
/// Its gradient for `difference`.
at::Tensor gradient_of_squares(const at::Tensor& difference, const at::Tensor& weights);

}  // namespace btc
