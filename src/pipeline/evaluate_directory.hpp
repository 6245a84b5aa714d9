#pragma once
/// Measures one model directory, original or packed, outside a run.

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "comm/communicator.hpp"
#include "config/pipeline_config.hpp"
#include "eval/task_requests.hpp"
#include "model/torch_place.hpp"
#include "pipeline/stop_request.hpp"
#include "report/evaluation_report.hpp"

namespace btc {

/// What to measure on which model.
struct DirectoryEvaluation {
  std::filesystem::path model;
  std::optional<Subject> kind;               ///< nullopt: packed if it has a manifest.json
  std::vector<PerplexityParams> perplexity;  ///< sources `text` and `ids`
  std::optional<ZeroShotParams> zero_shot;
  /// Where finished parts are kept, so that the same call goes on from there; empty: nowhere.
  std::filesystem::path work;
  int threads = 1;  ///< per rank
};

struct DirectoryResult {
  EvaluationReport report;
  std::vector<TaskRequests> tasks;
  std::vector<std::vector<RequestScore>> scores;  ///< [tasks][requests]
};

/// Collective; every rank has the result. The values do not depend on the number of ranks.
/// @throws StageFailed on every rank: an unusable model or input, without `work` more than one
///         machine; Stopped on every rank
DirectoryResult evaluate_directory(const DirectoryEvaluation& evaluation, const Communicator& comm,
                                   TorchPlace place, StopRequest& stop);

/// One JSON object per line and request: task, doc and choice (both from 0), loglik, greedy.
std::string samples_jsonl(const DirectoryResult& result);

}  // namespace btc
