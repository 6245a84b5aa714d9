#pragma once
/// Zero-shot tasks: their requests, kept in the run directory, and what models score in them.

#include <cstddef>
#include <filesystem>
#include <span>
#include <string>
#include <vector>

#include "config/pipeline_config.hpp"
#include "eval/request_file.hpp"
#include "model/model_config.hpp"
#include "pipeline/evaluate.hpp"
#include "pipeline/run_paths.hpp"
#include "pipeline/stage_runner.hpp"
#include "report/zero_shot_report.hpp"

namespace btc {

/// @throws ConfigError for an unknown task
void check_tasks(const ZeroShotParams& params);

/// The token requests of all tasks, on every rank, in the order of `params.tasks`. Rank 0 makes
/// them from the task files and keeps them below `paths`, unless they are there or
/// `params.requests` is given. Collective.
/// @param model_path folder with tokenizer and config.json
/// @param records as `Unit::records`
/// @param computed incremented if they were made
/// @throws StageFailed on every rank: a missing or malformed file, another tokenizer or vocabulary
std::vector<TaskRequests> keep_requests(StageRunner& runner, const ZeroShotParams& params,
                                        const std::filesystem::path& model_path,
                                        const ModelConfig& model, const RunPaths& paths,
                                        const std::filesystem::path& records,
                                        std::size_t& computed);

/// Scores of one model [tasks][requests]. Collective.
/// @param computed incremented by the number of units that were computed
std::vector<std::vector<RequestScore>> measure_tasks(StageRunner& runner,
                                                     const EvaluationSubject& subject,
                                                     std::span<const TaskRequests> tasks,
                                                     const ModelConfig& model,
                                                     const ZeroShotParams& params, TorchPlace place,
                                                     std::size_t& computed);

/// Scores of one model, for the report.
struct MeasuredTasks {
  Subject subject = Subject::kOriginal;
  std::vector<std::vector<RequestScore>> scores;  ///< [tasks][requests]
};
/// Metrics of every model, sets whose tasks are all there, and the packed against the original
/// model if both were measured.
ZeroShotReport report_tasks(std::span<const TaskRequests> tasks,
                            std::span<const MeasuredTasks> measured);

}  // namespace btc
