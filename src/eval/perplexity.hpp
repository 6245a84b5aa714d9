#pragma once
/// Perplexity by the GPTQ protocol. No MPI: the pipeline shards windows over ranks.

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "common/matrix.hpp"
#include "model/model_source.hpp"
#include "model/torch_place.hpp"

namespace btc {

/// Entries of the largest tensor that a block, or the head, makes of one window. Where they are at
/// most kSmallTensor every thread takes a window of its own.
std::size_t block_entries(const ModelConfig& config, std::size_t window);
std::size_t head_entries(const ModelConfig& config, std::size_t window);

/// Mean negative log-likelihood of each window: positions 0..T-2 predict 1..T-1. Blocks are
/// streamed: one block's weights at a time, the hidden states of `windows_in_memory` windows. Each
/// window is its own forward call, so the values do not depend on the other windows.
/// @param windows [n, T], T >= 2
/// @param place where blocks and head run
std::vector<double> window_nll(const ModelSource& model, MatrixView<const std::int32_t> windows,
                               std::size_t windows_in_memory, TorchPlace place = {});

/// exp(mean) in window order, fp64. @pre not empty
double perplexity(std::span<const double> window_nll);

}  // namespace btc
