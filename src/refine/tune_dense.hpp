#pragma once
/// Training of a block's Linears that are still dense, so that they absorb the error of those that
/// are quantized already.

#include <array>
#include <cstdint>

#include "model/block_forward.hpp"
#include "model/model_source.hpp"
#include "refine/block_loss.hpp"
#include "refine/params.hpp"

namespace btc {

/// Held-out errors before and after, as `relative_block_error`.
struct DenseReport {
  double start = 0;
  double end = 0;
};

/// Trains the Linears of `weights` that are marked, the others stay: `dense_epochs` passes, Adam on
/// the logarithm of the squared error of the block's output, steps in units of each Linear's root
/// mean square, cosine to zero. Keeps the best epoch by the held-out sequences, or the start.
/// @param sequences how many `open` knows
DenseReport tune_dense(const ModelConfig& config, const BlockForward& original,
                       BlockWeights& weights, const LinearMask& dense, std::size_t sequences,
                       const OpenSequences& open, const RefineParams& params, std::uint64_t seed);

}  // namespace btc
