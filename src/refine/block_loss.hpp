#pragma once
/// The squared error of a block's output against the original block, over some sequences.

#include <cstddef>
#include <functional>
#include <span>
#include <vector>

#include "common/matrix.hpp"
#include "model/block_forward.hpp"
#include "model/block_gradient.hpp"
#include "model/kept_outputs.hpp"

namespace btc {

/// Hands out inputs of a block [T, hidden], one per call.
using SequenceStream = std::function<Matrix<float>()>;
/// A stream of the sequences with these numbers, in this order.
using OpenSequences = std::function<SequenceStream(const std::vector<std::size_t>& order)>;

/// What the output of a block is drawn towards. Borrows both.
struct BlockTarget {
  KeptOutputs& original;
  /// Of the square of every output channel [hidden], in every sum of squares; empty: all are 1.
  std::span<const float> channel_weights = {};
};

/// Error of `present` on these sequences, relative to the squares of what the original block adds
/// to its input.
double relative_block_error(const BlockTarget& target, const BlockForward& present,
                            const OpenSequences& open, const std::vector<std::size_t>& sequences);

/// Adds the gradients of the squared error on the next sequences to those that `present` holds.
/// @param sequences their numbers
/// @return the squared error
double add_squared_errors(const BlockTarget& target, BlockBackward& present,
                          const SequenceStream& stream, std::span<const std::size_t> sequences);

/// Gradient for the Linears of the logarithm of the squared error on the next sequences, computed
/// where the original block is.
/// @param weights of the block, all Linears dense. @return those of norms and biases mean nothing
BlockWeights log_error_gradient(const ModelConfig& model, const BlockTarget& target,
                                const BlockWeights& weights, const SequenceStream& stream,
                                std::span<const std::size_t> sequences);

}  // namespace btc
