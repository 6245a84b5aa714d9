#pragma once
/// Memory on the device that a rank of the CUDA backend needs.

#include <cstddef>
#include <cstdint>

#include "config/pipeline_config.hpp"
#include "model/model_config.hpp"

namespace btc {

/// Bytes for the factor U of H [cols, cols]: both in fp32 one after the other, the same in fp64,
/// and workspaces of at most that size.
std::uint64_t device_memory_of_factor(std::size_t cols);

/// Bytes for quantizing one Linear [rows, cols] in panels of `panel` columns: W and U in fp32; U in
/// fp64 and a slice of at most 256 MiB of fp64 with its fp32 source where the error is measured, or
/// what one panel is worked on with.
std::uint64_t device_memory_of_linear(std::size_t rows, std::size_t cols, std::size_t panel);

/// The larger of both for a model: as many Linears of a block are quantized at once as the rank has
/// threads. With the patterns of the codebook, and what CUDA and its libraries take for themselves
/// (about 0.6 GB, and 64 MB for each of those Linears).
std::uint64_t device_memory_of_rank(const PipelineConfig& config, const ModelConfig& model);

}  // namespace btc
