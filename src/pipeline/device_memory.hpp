#pragma once
/// Memory on the device that a rank of the CUDA backend needs.

#include <cstddef>
#include <cstdint>

#include "config/pipeline_config.hpp"
#include "model/model_config.hpp"

namespace btc {

/// Bytes at the peak of one Linear [rows, cols], panels of `panel` columns: the larger of
///   factorising  H, later U, in fp32, the same in fp64, and cuSOLVER's workspace of that size,
///   quantizing   W and U in fp32; U in fp64 and a slice of at most 256 MiB of fp64 and its fp32
///                source where the error is measured, or what one panel is worked on with.
std::uint64_t device_memory_needed(std::size_t rows, std::size_t cols, std::size_t panel);

/// The most that any Linear needs, the patterns of the codebook, and what CUDA and its libraries
/// take for themselves (about 0.6 GB).
std::uint64_t device_memory_of_rank(const PipelineConfig& config, const ModelConfig& model);

}  // namespace btc
