#pragma once
/// The transforms T = D (P1 (x) P2) of the four inputs of a block, and what they do to its weights.
///
/// x -> x T and W -> W T^-T leave x W^T as it is. D, and the head_dim matrix on the values, merge
/// into the weights; the rest stays online: stored factors through which inputs pass first.
/// @see docs/transform.md

#include <array>
#include <cstdint>
#include <vector>

#include "learn/params.hpp"
#include "model/model_source.hpp"
#include "quant/transform.hpp"

namespace btc {

/// T of one input of width m.
struct InputTransform {
  std::vector<float> sign;   ///< [m], D as +-1
  KroneckerFactors factors;  ///< of `o`: P1 mixes the heads, P2 is the head_dim matrix
  bool operator==(const InputTransform&) const = default;
};

/// By index_of(SharedInput). Heads that share keys and values have equal signs in `o`.
using BlockTransform = std::array<InputTransform, kSharedInputs.size()>;

/// [a, b] of an input. @throws ConfigError naming the input if its width is prime
std::array<std::size_t, 2> factor_sizes(const ModelConfig& model, SharedInput input);

/// Orthogonal factors and signs, nothing learned. Parts that `params` leaves out: no factors, +1.
BlockTransform random_transform(const ModelConfig& model, const TransformParams& params,
                                std::uint64_t seed);

/// Merges what costs nothing at run time: the signs into norm gains, up_proj and v_proj, and the
/// head_dim matrix of `o` into the rows of v_proj, each undone in the columns of the Linears behind
/// it. The block's output stays what it was.
/// @throws NumericError for a head_dim matrix of too large a condition number
void merge_transform(const ModelConfig& model, const BlockTransform& transform,
                     BlockWeights& weights);

/// What is left to do online, in front of the merged block's Linears.
OnlineFactors online_factors(const BlockTransform& transform);

}  // namespace btc
