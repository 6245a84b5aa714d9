#pragma once
/// The capture stage: every block's input for all calibration sequences, in the activation store.
///
/// Runs in waves. In a wave, P consecutive blocks run on P ranks, one block's weights on each:
/// sequences stream from rank to rank, and rank r writes the input of its successor. A wave reads
/// the file that the wave before wrote last, so a crash or stop costs at most one wave, and no rank
/// ever holds more than one block and a few sequences.

#include <cstdint>
#include <vector>

#include "common/matrix.hpp"
#include "model/model_source.hpp"
#include "model/torch_place.hpp"
#include "pipeline/hidden_link.hpp"
#include "pipeline/stage_runner.hpp"

namespace btc {

/// Collective. A rank that fails throws, naming block and cause; the caller must end all ranks
/// then (its neighbours wait for its sequences).
/// @param units   unit b writes the input of block b
/// @param sequences [S, T] calibration ids
/// @param place where blocks run, and hidden states stay between receiving and sending
/// @param link for hidden states there
/// @return how many files were written
std::size_t capture_activations(StageRunner& runner, const std::vector<Unit>& units,
                                const ModelSource& model, const Matrix<std::int32_t>& sequences,
                                TorchPlace place, HiddenLink& link);

}  // namespace btc
