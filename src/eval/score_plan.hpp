#pragma once
/// What a model is run on to score requests: which sequences, which of their beginnings are shared,
/// which rows are read. A function of the requests and the settings only, so that every rank makes
/// the same plan.

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "eval/token_requests.hpp"
#include "model/block_forward.hpp"
#include "model/token_forest.hpp"

namespace btc {

struct ScoreParams {
  std::size_t batch_tokens = 4096;  ///< of one forward call; a longer sequence is one by itself
  /// A longer input loses its first tokens. Lm-eval takes max_position_embeddings.
  std::size_t max_length = 2048;
};

/// The targets of one request, in the order of its continuation.
struct RequestTargets {
  std::size_t request = 0;
  std::size_t first = 0;  ///< in `ScoreBatch::targets`
  std::size_t end = 0;
};

/// One forward call.
struct ScoreBatch {
  TokenForest forest;
  std::vector<std::int64_t> rows;        ///< tokens whose predictions are read, rising
  std::vector<HeadTarget> targets;       ///< `row` counts in `rows`
  std::vector<RequestTargets> requests;  ///< whose scores come from this batch
};

struct ScorePlan {
  std::vector<ScoreBatch> batches;  ///< by falling size of their trees
  std::size_t forwards = 0;         ///< different inputs
  std::uint64_t input_tokens = 0;   ///< of those, each by itself
  std::uint64_t run_tokens = 0;     ///< that pass the model: shared beginnings once
};

/// The input of a request is its tokens but the last. Equal inputs are run once (so all one-token
/// continuations of a context are), inputs that begin alike become branches of a tree where that
/// costs less. Trees are ordered by (-tokens, ids) and cut into batches.
/// @throws InputError naming the request: no context, no continuation, an id outside
///         [0, vocab_size), or a continuation longer than `max_length`
ScorePlan plan_scores(const TokenRequests& requests, const ScoreParams& params,
                      std::size_t vocab_size);

/// Consecutive batches with about `tokens` tokens in all: first batch of each part, and the end.
/// Every part but the last has at least that many.
std::vector<std::size_t> part_batches(const std::vector<ScoreBatch>& batches, std::size_t tokens);

}  // namespace btc
