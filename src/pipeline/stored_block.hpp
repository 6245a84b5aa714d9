#pragma once
/// Packed blocks between the stages: read back to be trained, written again with other scales.

#include <filesystem>
#include <string>
#include <vector>

#include "model/checkpoint.hpp"
#include "pack/packed_block.hpp"
#include "pack/tensor_store.hpp"
#include "pipeline/fingerprints.hpp"
#include "pipeline/state.hpp"
#include "refine/scaled_block.hpp"

namespace btc {

/// A packed block that an earlier stage left.
struct StoredBlock {
  ScaledBlock::Linears linear;
  std::vector<Codebook> codebooks;  ///< those that its file holds
  BlockWeights rest;                ///< norms and biases; no Linears
  OnlineFactors transform;          ///< in front of the Linears; empty without
};

/// @param from the unit whose file is read; @param codebook of the block, nullptr without codec
/// @throws FormatError if a file is damaged: its unit is then made anew by the next start
StoredBlock read_stored_block(const UnitStore& store, const Unit& from, const Unit* codebook,
                              const ModelConfig& model, int block, const PackedFormat& format);

/// Norms and biases as they lie in a packed block: of the types that the checkpoint has, rounded
/// to nearest. @param weights of the block; its Linears are not looked at
void add_copied(TensorStore& store, const Checkpoint& checkpoint, int block,
                const BlockWeights& weights);

/// Writes a trained block: its scales, and its norm gains as F16 instead of the checkpoint's type.
/// @pre `trained` is rounded
PackedBlockFile write_trained_block(const Unit& unit, const ScaledBlock& trained,
                                    const std::vector<Codebook>& codebooks,
                                    const Checkpoint& checkpoint, int block,
                                    const PackedFormat& format);

}  // namespace btc
