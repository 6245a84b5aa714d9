#include "learn/learn_transform.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "common/error.hpp"
#include "refine/sequence_order.hpp"

namespace btc {
namespace {

KeptOutputs original_block(const LearnProblem& problem) {
  return KeptOutputs(BlockForward(problem.model, problem.original, problem.place));
}

/// Held-out error of the changes; infinite where a factor cannot be stored and inverted.
double judge(const LearnProblem& problem, KeptOutputs& original, std::span<const float> change,
             TransformedBlock& block) {
  try {
    block.set(change, true);
  } catch (const NumericError&) {
    return std::numeric_limits<double>::infinity();
  }
  block.regroup();
  block.choose_signs();
  return relative_block_error({original}, block.forward(), problem.open,
                              split_sequences(problem.sequences).held_out);
}

class Learning {
 public:
  Learning(const LearnProblem& problem, const LearnSchedule& schedule,
           const TransformParams& params, TransformedBlock& block)
      : problem_(problem),
        schedule_(schedule),
        params_(params),
        block_(block),
        original_(original_block(problem)) {}

  [[nodiscard]] KeptOutputs& original() { return original_; }

  /// @return the auxiliary losses at the last step
  std::optional<SignLosses> train_epoch(int epoch, TrainingState& state) {
    const std::vector<std::size_t> order =
        shuffled(split_sequences(problem_.sequences).training, problem_.seed, epoch);
    const auto batch = static_cast<std::size_t>(schedule_.batch);
    const auto steps = static_cast<std::int64_t>(ceil_div(order.size(), batch));
    const SequenceStream stream = problem_.open(order);
    std::optional<SignLosses> signs;
    bool grouped = false;
    for (std::size_t first = 0; first < order.size(); first += batch) {
      const std::int64_t step = epoch * steps + static_cast<std::int64_t>(first / batch);
      if (schedule_.most_steps > 0 && step >= schedule_.most_steps) {
        break;
      }
      const double share = schedule_.cosine ? cosine_share(step, steps * schedule_.epochs) : 1.0;
      signs =
          take_step(stream, std::span(order).subspan(first, std::min(batch, order.size() - first)),
                    share, grouped, state);
    }
    return signs;
  }

 private:
  /// @param grouped whether this epoch's groups are known
  std::optional<SignLosses> take_step(const SequenceStream& stream,
                                      std::span<const std::size_t> sequences, double share,
                                      bool& grouped, TrainingState& state) {
    std::vector<float> gradient(block_.size());
    std::optional<SignLosses> signs;
    try {
      block_.set(state.change, false);
      if (!grouped) {
        block_.regroup();
        grouped = true;
      }
      block_.choose_signs();
      signs = add_gradient(stream, sequences, gradient);
    } catch (const NumericError&) {
      std::fill(gradient.begin(), gradient.end(), std::numeric_limits<float>::quiet_NaN());
    }
    training_step(gradient, share, state);
    return signs;
  }

  std::optional<SignLosses> add_gradient(const SequenceStream& stream,
                                         std::span<const std::size_t> sequences,
                                         std::span<float> sums) {
    block_.add_error_gradient(original_, stream, sequences, sums);
    if (params_.similarity == 0 && params_.balance == 0) {
      return std::nullopt;
    }
    return block_.add_sign_gradient(problem_.vector_length, params_, sums);
  }

  const LearnProblem& problem_;
  const LearnSchedule& schedule_;
  const TransformParams& params_;
  TransformedBlock& block_;
  KeptOutputs original_;
};

}  // namespace

int epochs_of(const LearnSchedule& schedule, std::size_t sequences) {
  if (schedule.most_steps == 0) {
    return schedule.epochs;
  }
  const std::size_t training = split_sequences(sequences).training.size();
  const std::size_t steps = ceil_div(training, static_cast<std::size_t>(schedule.batch));
  const auto needed = ceil_div(static_cast<std::size_t>(schedule.most_steps), steps);
  return std::min(schedule.epochs, narrow<int>(needed));
}

TrainingState begin_learning(const LearnProblem& problem, const LearnSchedule& schedule,
                             TransformedBlock& block) {
  TrainingState state = begin_training(block.size(), schedule.learning_rate);
  KeptOutputs original = original_block(problem);
  state.best_loss = judge(problem, original, state.change, block);
  return state;
}

void learn_transform(const LearnProblem& problem, const LearnSchedule& schedule,
                     const TransformParams& params, TransformedBlock& block, TrainingState& state,
                     const LearnReport& report) {
  Learning learning(problem, schedule, params, block);
  const int epochs = epochs_of(schedule, problem.sequences);
  const auto patient = [&](int epoch) {
    return schedule.patience == 0 || epoch - state.best_epoch < schedule.patience;
  };
  for (int epoch = state.epochs; epoch < epochs && patient(epoch); ++epoch) {
    LearnProgress progress;
    progress.epoch = epoch + 1;
    progress.signs = learning.train_epoch(epoch, state);
    progress.error = judge(problem, learning.original(), state.change, block);
    progress.distance = block.distance();
    judge_epoch(progress.error, epoch + 1, state);
    report(progress, state);
  }
}

BlockTransform best_transform(const TrainingState& state, TransformedBlock& block) {
  block.set(state.best, true);
  return block.transform();
}

}  // namespace btc
