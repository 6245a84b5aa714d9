#pragma once
/// Block inputs of the capture stage as streams of sequences.

#include "pipeline/state.hpp"
#include "refine/block_loss.hpp"

namespace btc {

/// Sequences of a unit of the capture stage, in any order. Borrows both.
OpenSequences stored_inputs(const UnitStore& store, const Unit& capture);

}  // namespace btc
