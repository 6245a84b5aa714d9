#pragma once
/// What happens before a Linear is encoded when `refine.dense_epochs` is set: the Linears that are
/// still dense absorb the error of those encoded so far, and the Linear's own inputs, which those
/// have changed, are measured anew.

#include <cstdint>
#include <vector>

#include "backend/backend.hpp"
#include "config/pipeline_config.hpp"
#include "model/torch_place.hpp"
#include "pipeline/encode.hpp"
#include "refine/block_loss.hpp"

namespace btc {

/// @param weights of the original block, merged with its transform; @param online the rest of it
/// @param open its stored inputs
/// @param channel_weights [hidden] of the squared error of its output
/// @param place where the block runs
/// All references live as long as the result.
PrepareLinear absorb_errors(const ModelConfig& model, const BlockWeights& weights,
                            const OnlineFactors& online, const OpenSequences& open,
                            std::vector<float> channel_weights, const PipelineConfig& config,
                            std::uint64_t seed, Backend& backend, TorchPlace place);

}  // namespace btc
