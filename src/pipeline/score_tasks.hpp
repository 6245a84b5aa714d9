#pragma once
/// Log-likelihoods of the requests of tasks, parts of each task dealt to the ranks.

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "eval/score_plan.hpp"
#include "eval/token_requests.hpp"
#include "model/torch_place.hpp"
#include "pipeline/evaluate.hpp"
#include "pipeline/stage_runner.hpp"

namespace btc {

/// How requests are run.
struct ScoringParams {
  ScoreParams batches;
  /// Of one unit: hidden states that are kept while blocks stream by.
  std::size_t tokens_in_memory = 65536;
};

/// SHA-256 of everything in `requests` that a score depends on.
std::string content_sha256(const TokenRequests& requests);

/// Memory that blocks of one rank may stay in between two units: half of what is free where they
/// run, divided by the ranks that share it. Collective.
std::uint64_t resident_budget(const Communicator& comm, const TorchPlace& place);

/// Scores of one model [tasks][requests], in the order of the requests, on every rank. A unit is
/// some batches of one task; the units of all tasks are dealt costliest first, and what a unit is
/// depends on the requests and the settings only, so that the bits do not depend on the number of
/// ranks. Collective.
/// @param tasks with different names
/// @param computed incremented by the number of units that were computed
/// @throws StageFailed on every rank, Stopped
std::vector<std::vector<RequestScore>> score_tasks(StageRunner& runner,
                                                   const EvaluationSubject& subject,
                                                   const std::vector<const TokenRequests*>& tasks,
                                                   const ModelConfig& model,
                                                   const ScoringParams& params, TorchPlace place,
                                                   std::size_t& computed);

}  // namespace btc
