#pragma once
/// What an epoch of end-to-end training hands to the next.

#include <span>
#include <vector>

#include "refine/adam.hpp"
#include "refine/distilled_model.hpp"

namespace btc {

struct DistillState {
  std::vector<float> change;  ///< of all trained values
  std::vector<float> best;    ///< those with the smallest held-out divergence
  AdamState adam;
  double best_divergence = 0;  ///< per token, of `best` rounded to fp16
  int best_epoch = 0;          ///< 0: the start
  double rate = 0;             ///< before the cosine
  int recoveries = 0;          ///< steps that were not finite
};

/// One step from the gradients of its samples, added up in their order, whoever computed them. If
/// they are not finite, goes back to the best values, forgets the moments and halves the rate.
/// @param share of the rate that the cosine leaves
void distill_step(std::span<const DistillGradient> gradients, double share, DistillState& state);

/// Takes note of the held-out divergence of `state.change` after an epoch.
void judge_epoch(double divergence, int epoch, DistillState& state);

}  // namespace btc
