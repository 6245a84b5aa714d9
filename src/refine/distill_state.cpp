#include "refine/distill_state.hpp"

#include <algorithm>
#include <cmath>

namespace btc {

void distill_step(std::span<const DistillGradient> gradients, double share, DistillState& state) {
  std::vector<float> sum(state.change.size());
  for (const DistillGradient& gradient : gradients) {
    for (std::size_t k = 0; k < sum.size(); ++k) {
      sum[k] += gradient.change[k];
    }
  }
  if (!std::all_of(sum.begin(), sum.end(), [](float g) { return std::isfinite(g); })) {
    state.change = state.best;
    state.adam = {};
    state.rate /= 2;
    ++state.recoveries;
    return;
  }
  adam_step(state.change, sum, state.rate * share, state.adam);
}

void judge_epoch(double divergence, int epoch, DistillState& state) {
  if (divergence < state.best_divergence) {
    state.best = state.change;
    state.best_divergence = divergence;
    state.best_epoch = epoch;
  }
}

}  // namespace btc
