#pragma once
/// Labels of the nearest codewords, for all patterns at once.

#include <cstdint>
#include <span>

#include "common/pattern.hpp"
#include "cuda/runtime/array.cuh"

namespace btc::cuda {

/// Fills `labels` [2^v] with the lowest label among the nearest codewords of each pattern.
/// @param codewords  [c], on the device, 1 <= c <= 2^24, each < 2^v
void nearest_labels(const Context& context, std::span<const Pattern> codewords, int vector_length,
                    DeviceArray<std::uint32_t>& labels);

}  // namespace btc::cuda
