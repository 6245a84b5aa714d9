#pragma once
/// How likely a model finds the continuation of each request. No MPI: the pipeline deals parts of a
/// plan to ranks.

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "eval/score_plan.hpp"
#include "eval/token_requests.hpp"
#include "model/model_source.hpp"
#include "model/torch_place.hpp"

namespace btc {

/// The score of request `request`.
struct ScoredRequest {
  std::size_t request = 0;
  RequestScore score;
};

/// A model on this rank. Blocks are streamed: all given batches pass a block before the next one is
/// loaded. Blocks that were loaded stay as long as they fit, so that a model which fits is read
/// once.
class Scorer {
 public:
  /// @param resident_bytes that the weights of kept blocks may take, at the place where they run
  Scorer(const ModelSource& model, TorchPlace place, std::uint64_t resident_bytes);
  /// Scores of the requests of these batches, batch by batch. The bits of a request do not depend
  /// on the other batches.
  std::vector<ScoredRequest> run(std::span<const ScoreBatch> batches);

 private:
  const BlockForward& block(int index);

  const ModelSource& model_;
  TorchPlace place_;
  HeadForward head_;
  std::uint64_t free_bytes_;
  std::vector<std::optional<BlockForward>> blocks_;  ///< those that stay
  std::optional<BlockForward> passing_;              ///< one that does not
};

/// Scores in the order of the requests, model kept in memory.
std::vector<RequestScore> score_requests(const ModelSource& model, const TokenRequests& requests,
                                         const ScoreParams& params, TorchPlace place = {});

}  // namespace btc
