#pragma once
/// Training of a flat vector of changes: what a step leaves to the next, an epoch to the next.

#include <cstddef>
#include <span>
#include <vector>

#include "refine/adam.hpp"

namespace btc {

struct TrainingState {
  std::vector<float> change;  ///< of all trained values
  std::vector<float> best;    ///< those with the smallest held-out loss
  AdamState adam;
  double best_loss = 0;  ///< held out, of `best` rounded to fp16
  int best_epoch = 0;    ///< 0: the start
  int epochs = 0;        ///< judged so far
  double rate = 0;       ///< before the cosine
  int recoveries = 0;    ///< steps that were not finite
};

/// No changes yet. @param size how many values are trained
TrainingState begin_training(std::size_t size, double rate);

/// One step against the gradient. If it is not finite, goes back to the best values, forgets the
/// moments and halves the rate.
/// @param share of the rate that the cosine leaves
void training_step(std::span<const float> gradient, double share, TrainingState& state);

/// Leaves a block or a model rounded as it is stored: with its best values, or as it was encoded
/// where no epoch was better.
template <typename Trained>
void leave_best(const TrainingState& state, Trained& trained) {
  if (state.best_epoch == 0) {
    trained.restore();
  } else {
    trained.set(state.best);
  }
  trained.round();
}

[[nodiscard]] bool all_finite(std::span<const float> values);

/// Takes note of the held-out loss of `state.change`, rounded, after an epoch.
void judge_epoch(double loss, int epoch, TrainingState& state);

}  // namespace btc
