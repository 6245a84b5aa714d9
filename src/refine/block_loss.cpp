#include "refine/block_loss.hpp"

#include <algorithm>

#include "common/error.hpp"

namespace btc {
namespace {

/// @param weights of the columns; empty: all are 1, with the same bits as ones
double square_of_difference(const Matrix<float>& a, const Matrix<float>& b,
                            std::span<const float> weights) {
  BTC_CHECK(weights.empty() || weights.size() == a.cols(), weights.size(), " weights for ",
            a.cols(), " channels");
  double sum = 0;
  for (std::size_t t = 0; t < a.rows(); ++t) {
    const auto x = a.row(t);
    const auto y = b.row(t);
    for (std::size_t c = 0; c < x.size(); ++c) {
      const double d = static_cast<double>(x[c]) - static_cast<double>(y[c]);
      sum += weights.empty() ? d * d : static_cast<double>(weights[c]) * (d * d);
    }
  }
  return sum;
}

}  // namespace

double relative_block_error(const BlockTarget& target, const BlockForward& present,
                            const SequenceStream& stream, std::size_t sequences) {
  double error = 0;
  double energy = 0;
  for (std::size_t s = 0; s < sequences; ++s) {
    const Matrix<float> input = stream();
    const Matrix<float> wanted = target.original.run(input.view());
    error += square_of_difference(present.run(input.view()), wanted, target.channel_weights);
    energy += square_of_difference(wanted, input, target.channel_weights);
  }
  return energy > 0 ? error / energy : error;
}

double add_squared_errors(const BlockTarget& target, BlockBackward& present,
                          const SequenceStream& stream, std::size_t sequences) {
  double error = 0;
  for (std::size_t s = 0; s < sequences; ++s) {
    const Matrix<float> input = stream();
    error += present.add_squared_error(target.original, input.view(), target.channel_weights);
  }
  return error;
}

BlockWeights log_error_gradient(const ModelConfig& model, const BlockTarget& target,
                                const BlockWeights& weights, const SequenceStream& stream,
                                std::size_t sequences) {
  BlockWeights sums = zeros_like(weights);
  BlockBackward present(model, weights, kAllLinears, target.original.place());
  const double error = add_squared_errors(target, present, stream, sequences);
  present.take_gradients(sums);
  const auto scale = static_cast<float>(error > 0 ? 1 / error : 0);
  for (Matrix<float>& own : sums.linear) {
    std::for_each(own.values().begin(), own.values().end(), [&](float& g) { g *= scale; });
  }
  return sums;
}

}  // namespace btc
