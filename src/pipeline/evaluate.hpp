#pragma once
/// The evaluate stage: perplexity of the original and of the packed model, windows over ranks.

#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "config/pipeline_config.hpp"
#include "model/torch_place.hpp"
#include "pipeline/sequences.hpp"
#include "pipeline/stage_runner.hpp"
#include "report/run_report.hpp"

namespace btc {

/// One model to be measured.
struct EvaluationSubject {
  Subject subject = Subject::kOriginal;
  std::string fingerprint;                   ///< of its weights
  std::function<const ModelSource&()> open;  ///< collective; called if there is work
  std::filesystem::path records = {};        ///< as `Unit::records`
};

/// Windows of one perplexity, made and kept in the run directory.
struct KeptWindows {
  Unit unit;
  std::string protocol;  ///< @see EvaluationWindows
  std::size_t windows = 0;
  std::uint64_t tokens = 0;
  bool add_bos = false;
};

/// Makes the windows unless they are there. Collective.
/// @param computed incremented if they were made
KeptWindows keep_windows(StageRunner& runner, const Unit& unit, const PerplexityParams& params,
                         const PipelineConfig& config, const ModelSource& original,
                         std::size_t& computed);

/// Parts of at most `windows_in_memory` windows are the resumable units; inside a part every rank
/// takes a share, and the values are put together in window order, so that the result does not
/// depend on the rank count. Collective.
/// @param place where blocks and head run
/// @param computed incremented by the number of parts that were computed
PerplexityResult measure_perplexity(StageRunner& runner, const EvaluationSubject& subject,
                                    const PerplexityParams& params, const KeptWindows& windows,
                                    std::size_t windows_in_memory, TorchPlace place,
                                    std::size_t& computed);

}  // namespace btc
