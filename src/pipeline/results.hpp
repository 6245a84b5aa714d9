#pragma once
/// The end of a run: results.json, results.csv and the closing table.

#include <vector>

#include "config/pipeline_config.hpp"
#include "model/model_config.hpp"
#include "pipeline/fingerprints.hpp"
#include "pipeline/reduce.hpp"
#include "pipeline/run_paths.hpp"
#include "pipeline/stage_clock.hpp"
#include "pipeline/stage_runner.hpp"
#include "report/run_report.hpp"

namespace btc {

/// What the evaluate stage found.
struct Measurements {
  std::vector<PerplexityResult> perplexity;
  ZeroShotReport zero_shot;
};

/// Prints the table on rank 0's stdout, and writes the files if this start did any work or they are
/// missing. Collective.
void report_results(const PipelineConfig& config, const RunPaths& paths, const ModelConfig& model,
                    const PlannedUnits& units, const StageRunner& runner,
                    const ReducedModel& reduced, const Measurements& measured,
                    const StageClock& clock);

}  // namespace btc
