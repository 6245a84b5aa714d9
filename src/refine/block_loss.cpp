#include "refine/block_loss.hpp"

#include <algorithm>

namespace btc {

double relative_block_error(const BlockTarget& target, const BlockForward& present,
                            const OpenSequences& open, const std::vector<std::size_t>& sequences) {
  const SequenceStream stream = open(sequences);
  OutputSquares sums;
  for (const std::size_t sequence : sequences) {
    const Matrix<float> input = stream();
    const OutputSquares own =
        target.original.compare(sequence, input.view(), present, target.channel_weights);
    sums.error += own.error;
    sums.added += own.added;
  }
  return sums.added > 0 ? sums.error / sums.added : sums.error;
}

double add_squared_errors(const BlockTarget& target, BlockBackward& present,
                          const SequenceStream& stream, std::span<const std::size_t> sequences) {
  double error = 0;
  for (const std::size_t sequence : sequences) {
    const Matrix<float> input = stream();
    error +=
        present.add_squared_error(target.original, sequence, input.view(), target.channel_weights);
  }
  return error;
}

BlockWeights log_error_gradient(const ModelConfig& model, const BlockTarget& target,
                                const BlockWeights& weights, const SequenceStream& stream,
                                std::span<const std::size_t> sequences) {
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
