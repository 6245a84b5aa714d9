#pragma once
/// What blocks are quantized for: the calibration sequences, and block inputs of the capture stage
/// as streams of sequences.

#include <cstddef>
#include <cstdint>

#include "common/matrix.hpp"
#include "pipeline/state.hpp"
#include "refine/block_loss.hpp"

namespace btc {

/// Ids [samples, window] of the finished unit of the stage `sequences`.
/// @throws FormatError if the file is damaged
Matrix<std::int32_t> stored_sequences(const UnitStore& store, const Unit& sequences,
                                      std::size_t vocab_size);

/// Sequences of a unit of the capture stage, in any order. Borrows both.
OpenSequences stored_inputs(const UnitStore& store, const Unit& capture);

}  // namespace btc
