#include "refine/tune_dense.hpp"

#include <algorithm>
#include <cmath>
#include <utility>

#include "common/error.hpp"
#include "refine/adam.hpp"
#include "refine/sequence_order.hpp"

namespace btc {
namespace {

double root_mean_square(const Matrix<float>& matrix) {
  double sum = 0;
  for (const float value : matrix.values()) {
    sum += static_cast<double>(value) * static_cast<double>(value);
  }
  return matrix.empty() ? 0 : std::sqrt(sum / static_cast<double>(matrix.size()));
}

class DenseTraining {
 public:
  DenseTraining(const ModelConfig& config, const BlockForward& original, BlockWeights weights,
                const LinearMask& dense, const OpenSequences& open, const RefineParams& params)
      : config_(config),
        original_(original),
        weights_(std::move(weights)),
        dense_(dense),
        open_(open),
        params_(params),
        rate_(params.dense_learning_rate) {
    for (std::size_t i = 0; i < dense_.size(); ++i) {
      unit_.at(i) = dense_.at(i) ? root_mean_square(weights_.linear.at(i)) : 0;
    }
  }

  double judge(const std::vector<std::size_t>& sequences) const {
    return relative_block_error(original_, BlockForward(config_, weights_), open_(sequences),
                                sequences.size());
  }

  void train_epoch(const std::vector<std::size_t>& order, int epoch) {
    const auto batch = static_cast<std::size_t>(params_.batch);
    const auto steps = static_cast<std::int64_t>(ceil_div(order.size(), batch));
    const SequenceStream stream = open_(order);
    for (std::size_t first = 0; first < order.size(); first += batch) {
      const std::int64_t step = epoch * steps + static_cast<std::int64_t>(first / batch);
      take_step(stream, std::min(batch, order.size() - first),
                rate_ * cosine_share(step, steps * params_.dense_epochs));
    }
  }

  [[nodiscard]] const BlockWeights& weights() const { return weights_; }
  /// After a step that was not finite.
  void restart_from(const BlockWeights& best) {
    weights_ = best;
    adam_ = {};
    rate_ /= 2;
  }

 private:
  void take_step(const SequenceStream& stream, std::size_t sequences, double rate) {
    BlockWeights sums = zeros_like(weights_);
    BlockBackward present(config_, weights_, dense_);
    double error = 0;
    for (std::size_t s = 0; s < sequences; ++s) {
      error += add_error_gradient(original_, present, stream(), sums);
    }
    const auto scale = static_cast<float>(error > 0 ? 1 / error : 0);  // of the logarithm
    for (std::size_t i = 0; i < dense_.size(); ++i) {
      if (dense_.at(i)) {
        for (float& g : sums.linear.at(i).values()) {
          g *= scale;
        }
        adam_step(weights_.linear.at(i).values(), sums.linear.at(i).values(), rate * unit_.at(i),
                  adam_.at(i));
      }
    }
  }

  const ModelConfig& config_;
  const BlockForward& original_;
  BlockWeights weights_;
  const LinearMask& dense_;
  const OpenSequences& open_;
  const RefineParams& params_;
  double rate_;
  std::array<double, kLinearKinds.size()> unit_{};
  std::array<AdamState, kLinearKinds.size()> adam_;
};

}  // namespace

DenseReport tune_dense(const ModelConfig& config, const BlockForward& original,
                       BlockWeights& weights, const LinearMask& dense, std::size_t sequences,
                       const OpenSequences& open, const RefineParams& params, std::uint64_t seed) {
  const SequenceSplit split = split_sequences(sequences);
  DenseTraining training(config, original, weights, dense, open, params);
  DenseReport report;
  report.start = report.end = training.judge(split.held_out);
  for (int epoch = 0; epoch < params.dense_epochs; ++epoch) {
    training.train_epoch(shuffled(split.training, seed, epoch), epoch);
    const double error = training.judge(split.held_out);
    if (error < report.end) {
      weights = training.weights();
      report.end = error;
    } else if (!std::isfinite(error)) {
      training.restart_from(weights);
    }
  }
  return report;
}

}  // namespace btc
