#pragma once
/// The evaluate stage: perplexity of the original and of the packed model, windows over ranks.

#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "config/pipeline_config.hpp"
#include "model/torch_place.hpp"
#include "pipeline/run_paths.hpp"
#include "pipeline/source_identity.hpp"
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

/// Where the windows of perplexities are kept, and what they may be sampled from.
struct WindowsPlace {
  RunPaths paths;
  std::filesystem::path records = {};  ///< as `Unit::records`
  SourceIdentity identity = {};        ///< of the original, for source `self`
};

/// All perplexities of the configuration, of each subject in turn. Windows are made unless they are
/// there. Parts of at most `windows_in_memory` windows are the resumable units; inside a part every
/// rank takes a share, and the values are put together in window order, so that the result does not
/// depend on the rank count. Collective.
/// @param original gives the vocabulary, and is sampled from with source `self`
/// @param place where blocks and head run
/// @param computed incremented by the number of units that were computed
std::vector<PerplexityResult> measure_perplexities(StageRunner& runner,
                                                   const PipelineConfig& config,
                                                   const WindowsPlace& kept,
                                                   const ModelSource& original,
                                                   const std::vector<EvaluationSubject>& subjects,
                                                   TorchPlace place, std::size_t& computed);

}  // namespace btc
