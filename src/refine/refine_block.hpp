#pragma once
/// Training of one block's scales and norm gains towards the output of the original block.

#include <cstddef>
#include <cstdint>
#include <functional>
#include <vector>

#include "common/matrix.hpp"
#include "model/model_source.hpp"
#include "refine/block_loss.hpp"
#include "refine/params.hpp"
#include "refine/scaled_block.hpp"

namespace btc {

/// How the training went. Losses are the mean squared error of the block's output over the mean
/// square of the original's change of its input, on the held-out sequences, scales in fp16.
struct RefineReport {
  double start = 0;
  double end = 0;
  int best_epoch = 0;  ///< 0: the start was not improved on
  int recoveries = 0;  ///< steps that were not finite
};

/// Called after each epoch with its number, from 1, and the held-out loss.
using EpochReport = std::function<void(int epoch, double loss)>;

/// Trains `block` in place and leaves it rounded to fp16, with the values of the best epoch: never
/// worse on the held-out sequences (the last eighth, or the only one) than at the start.
///
/// Each step takes `batch` sequences of a seeded shuffle, minimises the logarithm of their squared
/// error by Adam, with a cosine that ends at zero. A step that is not finite goes back to the best
/// values and halves the rate. One sequence is in memory at a time.
/// @param sequences how many `open` knows
/// @param place where both blocks run
RefineReport refine_block(const ModelConfig& config, BlockWeights original, ScaledBlock& block,
                          std::size_t sequences, const OpenSequences& open,
                          const RefineParams& params, std::uint64_t seed, const EpochReport& report,
                          TorchPlace place = {});

}  // namespace btc
