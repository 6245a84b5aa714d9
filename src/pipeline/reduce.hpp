#pragma once
/// The reduce stage: the packed model directory out of the encoded blocks.

#include <vector>

#include "config/pipeline_config.hpp"
#include "model/checkpoint.hpp"
#include "pack/packed_model.hpp"
#include "pipeline/fingerprints.hpp"
#include "pipeline/source_identity.hpp"
#include "pipeline/stage_runner.hpp"

namespace btc {

/// What is in the finished directory.
struct ReducedModel {
  std::vector<LedgerLine> ledger;
  BitNumbers bits;
};

/// Copies shards in parallel, one copy buffer per rank, then rank 0 writes the metadata and last
/// the manifest. Collective.
/// @param computed incremented by the number of files made
ReducedModel reduce_blocks(StageRunner& runner, const PlannedUnits& units,
                           const PipelineConfig& config, const RunPaths& paths,
                           const Checkpoint& checkpoint, const SourceIdentity& identity,
                           std::size_t& computed);

/// Compares every byte of the finished directory with its hashes. What is damaged no longer counts
/// as finished, so that the next start makes it anew. @throws FormatError that says so
void check_packed_model(const UnitStore& store, const PlannedUnits& units, const RunPaths& paths);

}  // namespace btc
