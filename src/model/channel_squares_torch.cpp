#include <ATen/TensorOperators.h>
#include <ATen/core/Tensor.h>
#include <ATen/ops/sum.h>

#include "common/error.hpp"
#include "model/channel_squares.hpp"
#include "model/linear_tensors.hpp"

namespace btc {

at::Tensor channel_weights_at(const TorchPlace& place, std::span<const float> weights,
                              std::size_t channels) {
  BTC_CHECK(weights.empty() || weights.size() == channels, weights.size(), " weights for ",
            channels, " channels");
  return weights.empty() ? at::Tensor() : tensor_at(place, {weights.data(), 1, weights.size()});
}

double sum_of_squares(const at::Tensor& difference, const at::Tensor& weights) {
  at::Tensor squares = difference.to(at::kDouble).square_();
  if (weights.defined()) {
    squares.mul_(weights);
  }
  return at::sum(squares).item<double>();
}

at::Tensor gradient_of_squares(const at::Tensor& difference, const at::Tensor& weights) {
  at::Tensor gradient = 2 * difference;
  if (weights.defined()) {
    gradient.mul_(weights);
  }
  return gradient;
}

}  // namespace btc
