#pragma once
/// The refine stage: scales and norm gains of each block, and its signs if asked for, trained
/// towards the original block.

#include <cstddef>

#include "backend/backend.hpp"
#include "config/pipeline_config.hpp"
#include "model/checkpoint.hpp"
#include "model/torch_place.hpp"
#include "pipeline/fingerprints.hpp"
#include "pipeline/source_identity.hpp"
#include "pipeline/stage_runner.hpp"

namespace btc {

/// Trains every block on its stored inputs, blocks dealt to ranks. Collective.
/// @param place where blocks run
/// @return how many blocks were trained
std::size_t refine_blocks(StageRunner& runner, const PlannedUnits& units,
                          const PipelineConfig& config, const Checkpoint& checkpoint,
                          const IdentifiedModel& original, Backend& backend, TorchPlace place);

}  // namespace btc
