#pragma once
/// The loop from a prompt to new tokens.

#include <cstddef>
#include <cstdint>
#include <functional>
#include <limits>
#include <span>
#include <vector>

#include "generate/incremental_forward.hpp"
#include "generate/sampler.hpp"

namespace btc {

struct GenerateParams {
  std::size_t max_tokens = 128;  ///< new ones
  SamplingParams sampling;
  std::uint64_t seed = 0;             ///< equal seeds give equal ids
  std::vector<std::int32_t> end_ids;  ///< any of them ends the text
  /// Ids that the tokenizer has: a padded embedding has rows beyond, which are never drawn.
  std::size_t vocabulary = std::numeric_limits<std::size_t>::max();
};

struct Generated {
  std::vector<std::int32_t> ids;  ///< new ones, without the one that ended the text
  bool ended = false;             ///< by one of `end_ids`, not by the number of tokens
  double prompt_seconds = 0;      ///< until the logits of the first new token
  double seconds = 0;             ///< of all further tokens
  std::size_t steps = 0;          ///< passes over the weights in `seconds`
};

/// Goes on from `prompt`, which begins the sequence.
/// @param forward a new one, with room for the prompt and `max_tokens` ids
/// @param on_id called with each new id as soon as it is chosen; may be empty
/// @throws InputError for an empty prompt
Generated generate(IncrementalForward& forward, std::span<const std::int32_t> prompt,
                   const GenerateParams& params, const std::function<void(std::int32_t)>& on_id);

}  // namespace btc
