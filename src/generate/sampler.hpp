#pragma once
/// How the next token is chosen.

#include <cstdint>
#include <span>

#include "common/rng.hpp"

namespace btc {

struct SamplingParams {
  double temperature = 0.8;  ///< logits are divided by it; 0: always the most likely id
  double top_p = 0.95;       ///< in (0, 1]: only the likeliest ids whose shares reach it
};

/// @throws ConfigError for a value outside its range
void check(const SamplingParams& params);

/// The most likely id, the lowest on ties. @throws NumericError for a logit that is not finite
std::int32_t most_likely(std::span<const float> logits);

/// Draws an id. Of the ids by falling probability (lower ids first on ties), those up to and with
/// the one that brings the sum to `top_p` keep their shares; there is always at least one.
/// Softmax and sums in fp64. One number of `rng` is used, none at temperature 0.
/// @throws NumericError for a logit that is not finite
std::int32_t choose_token(std::span<const float> logits, const SamplingParams& params, Rng& rng);

}  // namespace btc
