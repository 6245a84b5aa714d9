#pragma once
/// The distill stage: scales and norm gains of all blocks together, trained towards the predictions
/// of the original model. Data-parallel over the ranks; the bytes do not depend on their number.

#include <cstddef>

#include "backend/backend.hpp"
#include "config/pipeline_config.hpp"
#include "model/checkpoint.hpp"
#include "model/torch_place.hpp"
#include "pipeline/fingerprints.hpp"
#include "pipeline/source_identity.hpp"
#include "pipeline/stage_runner.hpp"

namespace btc {

/// Trains the epochs that are not finished, one unit each, then writes the blocks. Collective.
///
/// The samples of a step are dealt to the ranks in turn. Each rank computes one gradient per
/// sample; all gradients go to all ranks, which add them up in the order of the samples and take
/// the same step. Held-out divergences travel the same way.
/// @param place where blocks and head run
/// @return how many units were computed
std::size_t distill_model(StageRunner& runner, const PlannedUnits& units,
                          const PipelineConfig& config, const Checkpoint& checkpoint,
                          const IdentifiedModel& original, Backend& backend, TorchPlace place);

}  // namespace btc
