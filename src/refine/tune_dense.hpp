#pragma once
/// Training of a block that is quantized in part: its Linears that are still dense absorb the error
/// of the others, whose scales follow.

#include <array>
#include <cstdint>

#include "model/block_forward.hpp"
#include "model/model_source.hpp"
#include "refine/block_loss.hpp"
#include "refine/params.hpp"
#include "refine/scaled_block.hpp"

namespace btc {

/// Held-out errors before and after, as `relative_block_error`.
struct DenseReport {
  double start = 0;
  double end = 0;
  int recoveries = 0;  ///< steps, or held-out errors after an epoch, that were not finite
};

/// `dense_epochs` passes of Adam on the logarithm of the squared error of the block's output, with
/// a cosine to zero. Dense weights move by `dense_learning_rate` in units of their Linear's root
/// mean square, scales of the encoded Linears by `block_learning_rate` as in `refine_block`; norm
/// gains stay. Keeps the best epoch by the held-out sequences, with scales in fp16, or the start.
/// A step whose gradients are not all finite goes back to the best values, forgets the moments and
/// halves both rates.
/// @param target decides by the place of the original block where the block runs
/// @param weights of the block, the encoded Linears decoded
/// @param encoded the Linears that are quantized, the others empty
/// @param sequences how many `open` knows
DenseReport tune_dense(const ModelConfig& config, const BlockTarget& target, BlockWeights& weights,
                       ScaledBlock::Linears& encoded, const OnlineFactors& online,
                       std::size_t sequences, const OpenSequences& open, const RefineParams& params,
                       std::uint64_t seed);

}  // namespace btc
