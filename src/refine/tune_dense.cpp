#include "refine/tune_dense.hpp"

#include <algorithm>
#include <cmath>
#include <span>
#include <utility>
#include <vector>

#include "common/error.hpp"
#include "refine/adam.hpp"
#include "refine/sequence_order.hpp"
#include "refine/training_state.hpp"

namespace btc {
namespace {

double root_mean_square(const Matrix<float>& matrix) {
  double sum = 0;
  for (const float value : matrix.values()) {
    sum += static_cast<double>(value) * static_cast<double>(value);
  }
  return matrix.empty() ? 0 : std::sqrt(sum / static_cast<double>(matrix.size()));
}

/// Everything that changes, at one moment.
struct TunedBlock {
  BlockWeights weights;  ///< encoded Linears decoded
  std::vector<float> change;
};

class DenseTraining {
 public:
  DenseTraining(const ModelConfig& config, const BlockTarget& target, BlockWeights weights,
                const ScaledBlock::Linears& encoded, const OnlineFactors& online,
                const OpenSequences& open, const RefineParams& params)
      : config_(config),
        target_(target),
        open_(open),
        params_(params),
        scaled_(encoded, weights, NormGains::kFrozen, online),
        present_{std::move(weights), std::vector<float>(scaled_.size())} {
    for (std::size_t i = 0; i < encoded.size(); ++i) {
      dense_.at(i) = encoded.at(i).rows == 0;
      unit_.at(i) = dense_.at(i) ? root_mean_square(present_.weights.linear.at(i)) : 0;
    }
  }

  /// With the scales as they would be stored.
  double judge(const std::vector<std::size_t>& sequences) {
    scaled_.set(present_.change);
    scaled_.round();
    decode();
    return relative_block_error(target_,
                                BlockForward(config_, present_.weights, target_.original.place()),
                                open_, sequences);
  }

  void train_epoch(const std::vector<std::size_t>& order, int epoch) {
    const SequenceStream stream = open_(order);
    for_each_step(order.size(), params_.batch, epoch, params_.dense_epochs,
                  [&](std::size_t first, std::size_t count, double share) {
                    take_step(stream, std::span(order).subspan(first, count), share_ * share);
                  });
  }

  /// The present values are the best so far.
  void keep() { best_ = present_; }
  /// After something that was not finite.
  void recover() {
    present_ = best_;
    adam_ = {};
    scale_adam_ = {};
    share_ /= 2;
    ++recoveries_;
  }
  [[nodiscard]] int recoveries() const { return recoveries_; }
  /// Leaves the best values: weights, and the encoded Linears with rounded scales.
  void leave_best(BlockWeights& weights, ScaledBlock::Linears& encoded) {
    scaled_.set(best_.change);
    scaled_.round();
    encoded = scaled_.linear();
    weights = std::move(best_.weights);
  }

 private:
  void decode() {
    for (std::size_t i = 0; i < dense_.size(); ++i) {
      if (!dense_.at(i)) {
        present_.weights.linear.at(i) = scaled_.dense(i);
      }
    }
  }

  /// @param share of both learning rates
  void take_step(const SequenceStream& stream, std::span<const std::size_t> sequences,
                 double share) {
    scaled_.set(present_.change);
    decode();
    const BlockWeights sums =
        log_error_gradient(config_, target_, present_.weights, stream, sequences);
    std::vector<float> gradient(present_.change.size());
    scaled_.add_gradient(sums, gradient);
    if (!all_finite(gradient) ||
        !std::all_of(sums.linear.begin(), sums.linear.end(),
                     [](const Matrix<float>& own) { return all_finite(own.values()); })) {
      recover();
      return;
    }
    for (std::size_t i = 0; i < dense_.size(); ++i) {
      if (dense_.at(i)) {
        adam_step(present_.weights.linear.at(i).values(), sums.linear.at(i).values(),
                  params_.dense_learning_rate * share * unit_.at(i), adam_.at(i));
      }
    }
    adam_step(present_.change, gradient, params_.block_learning_rate * share, scale_adam_);
  }

  const ModelConfig& config_;
  const BlockTarget& target_;
  const OpenSequences& open_;
  const RefineParams& params_;
  ScaledBlock scaled_;
  TunedBlock present_, best_;
  double share_ = 1;
  int recoveries_ = 0;
  LinearMask dense_{};
  std::array<double, kLinearKinds.size()> unit_{};
  std::array<AdamState, kLinearKinds.size()> adam_;
  AdamState scale_adam_;
};

}  // namespace

DenseReport tune_dense(const ModelConfig& config, const BlockTarget& target, BlockWeights& weights,
                       ScaledBlock::Linears& encoded, const OnlineFactors& online,
                       std::size_t sequences, const OpenSequences& open, const RefineParams& params,
                       std::uint64_t seed) {
  const SequenceSplit split = split_sequences(sequences);
  DenseTraining training(config, target, weights, encoded, online, open, params);
  DenseReport report;
  report.start = report.end = training.judge(split.held_out);
  training.keep();
  for (int epoch = 0; epoch < params.dense_epochs; ++epoch) {
    training.train_epoch(shuffled(split.training, seed, epoch), epoch);
    const double error = training.judge(split.held_out);
    if (error < report.end) {
      training.keep();
      report.end = error;
    } else if (!std::isfinite(error)) {
      training.recover();
    }
  }
  report.recoveries = training.recoveries();
  training.leave_best(weights, encoded);
  return report;
}

}  // namespace btc
