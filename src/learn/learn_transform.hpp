#pragma once
/// Learning of one block's transform by the block's output. @see docs/transform.md, BTC sec. 4.2

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>

#include "learn/transformed_block.hpp"
#include "refine/block_loss.hpp"
#include "refine/training_state.hpp"

namespace btc {

/// What one block learns from.
struct LearnProblem {
  const ModelConfig& model;
  const BlockWeights& original;
  std::size_t sequences = 0;      ///< how many `open` knows
  const OpenSequences& open;      ///< the block's inputs
  std::size_t vector_length = 0;  ///< of the sub-vectors of L_sim and L_bal, at least 1
  std::uint64_t seed = 0;
  TorchPlace place = {};  ///< where the block runs
};

/// After an epoch.
struct LearnProgress {
  int epoch = 0;     ///< from 1
  double error = 0;  ///< held out, as `relative_block_error`, factors as stored
  /// Before weighting, at the epoch's last step; none where neither has a weight.
  std::optional<SignLosses> signs;
  double distance = 0;  ///< Frobenius distance of the factors from their start
};

/// Called after each epoch with the state that goes on from there.
using LearnReport = std::function<void(const LearnProgress&, const TrainingState&)>;

/// Trains from `state` on: the logarithm of the squared error of the block's output plus the
/// auxiliary losses, by Adam over seeded mini-batches. Every step quantizes anew, groups stay for
/// an epoch. A step that is not finite, or leaves a factor that cannot be inverted, goes back to
/// the best values and halves the rate. One input is in memory at a time.
/// @param state `begin_learning`, or what a report left
void learn_transform(const LearnProblem& problem, const LearnSchedule& schedule,
                     const TransformParams& params, TransformedBlock& block, TrainingState& state,
                     const LearnReport& report);

/// How many epochs the schedule has: no more than its steps need.
int epochs_of(const LearnSchedule& schedule, std::size_t sequences);

/// No changes, judged on the held-out sequences.
TrainingState begin_learning(const LearnProblem& problem, const LearnSchedule& schedule,
                             TransformedBlock& block);

/// The best transform of `state`, factors as stored: never worse on the held-out sequences than the
/// start.
BlockTransform best_transform(const TrainingState& state, TransformedBlock& block);

}  // namespace btc
