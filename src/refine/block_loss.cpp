#include "refine/block_loss.hpp"

#include <algorithm>

namespace btc {
namespace {

double square_of_difference(const Matrix<float>& a, const Matrix<float>& b) {
  double sum = 0;
  for (std::size_t e = 0; e < a.size(); ++e) {
    const double d = static_cast<double>(a.values()[e]) - static_cast<double>(b.values()[e]);
    sum += d * d;
  }
  return sum;
}

}  // namespace

double relative_block_error(const BlockForward& original, const BlockForward& present,
                            const SequenceStream& stream, std::size_t sequences) {
  double error = 0;
  double energy = 0;
  for (std::size_t s = 0; s < sequences; ++s) {
    const Matrix<float> input = stream();
    const Matrix<float> target = original.run(input.view());
    error += square_of_difference(present.run(input.view()), target);
    energy += square_of_difference(target, input);
  }
  return energy > 0 ? error / energy : error;
}

double add_error_gradient(const BlockForward& original, BlockBackward& present,
                          const Matrix<float>& input) {
  const Matrix<float> target = original.run(input.view());
  Matrix<float> difference = present.forward(input.view(), false);
  const double error = square_of_difference(difference, target);
  for (std::size_t e = 0; e < target.size(); ++e) {
    difference.values()[e] = 2 * (difference.values()[e] - target.values()[e]);
  }
  present.backward(difference.view());
  return error;
}

BlockWeights log_error_gradient(const ModelConfig& model, const BlockForward& original,
                                const BlockWeights& weights, const SequenceStream& stream,
                                std::size_t sequences) {
  constexpr LinearMask kAll = {true, true, true, true, true, true, true};
  BlockWeights sums = zeros_like(weights);
  BlockBackward present(model, weights, kAll, original.place());
  double error = 0;
  for (std::size_t s = 0; s < sequences; ++s) {
    error += add_error_gradient(original, present, stream());
  }
  present.take_gradients(sums);
  const auto scale = static_cast<float>(error > 0 ? 1 / error : 0);
  for (Matrix<float>& own : sums.linear) {
    std::for_each(own.values().begin(), own.values().end(), [&](float& g) { g *= scale; });
  }
  return sums;
}

}  // namespace btc
