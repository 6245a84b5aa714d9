#include "refine/training_state.hpp"

#include <algorithm>
#include <cmath>

namespace btc {

TrainingState begin_training(std::size_t size, double rate) {
  TrainingState state;
  state.change.resize(size);
  state.best = state.change;
  state.rate = rate;
  return state;
}

bool all_finite(std::span<const float> values) {
  return std::ranges::all_of(values, [](float v) { return std::isfinite(v); });
}

void training_step(std::span<const float> gradient, double share, TrainingState& state) {
  if (!all_finite(gradient)) {
    state.change = state.best;
    state.adam = {};
    state.rate /= 2;
    ++state.recoveries;
    return;
  }
  adam_step(state.change, gradient, state.rate * share, state.adam);
}

void judge_epoch(double loss, int epoch, TrainingState& state) {
  state.epochs = epoch;
  if (loss < state.best_loss) {
    state.best = state.change;
    state.best_loss = loss;
    state.best_epoch = epoch;
  }
}

}  // namespace btc
