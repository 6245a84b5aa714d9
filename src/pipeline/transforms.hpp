#pragma once
/// The learn stage: the transforms of the inputs of every block, and their HDF5 files.

#include <filesystem>
#include <string>

#include "learn/block_transform.hpp"
#include "model/torch_place.hpp"
#include "pipeline/fingerprints.hpp"
#include "pipeline/source_identity.hpp"
#include "pipeline/stage_runner.hpp"

namespace btc {

/// One unit per block. A block that learns leaves its state behind after every epoch, from which it
/// goes on; a stop need not wait for more than an epoch. @return how many were made
/// @param place where blocks run
std::size_t learn_transforms(StageRunner& runner, const PlannedUnits& units,
                             const PipelineConfig& config, const IdentifiedModel& original,
                             TorchPlace place);

/// A block as it is quantized: weights of the original with what a transform merges into them, and
/// the factors that stay in front of its Linears (empty without transform).
struct MergedBlock {
  BlockWeights weights;
  OnlineFactors online;
};
MergedBlock load_merged_block(const UnitStore& store, const PlannedUnits& units,
                              const IdentifiedModel& original, int block);

/// The same with the Linears as they are quantized: for inputs that have passed the factors.
BlockWeights load_entered_block(const UnitStore& store, const PlannedUnits& units,
                                const IdentifiedModel& original, int block);

/// @return size in bytes. @param fingerprint of the unit
std::size_t write_transform(const std::filesystem::path& path, const BlockTransform& transform,
                            const std::string& fingerprint);
/// @throws FormatError if the file is damaged, of another version, or not of this model
BlockTransform read_transform(const std::filesystem::path& path, const ModelConfig& model);

}  // namespace btc
