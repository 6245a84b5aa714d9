#pragma once
/// Rotary position embedding: angles, and their cosines and sines.

#include <cstddef>
#include <span>
#include <vector>

#include "common/matrix.hpp"
#include "model/model_config.hpp"

namespace btc {

/// Angle per position of each pair of head entries [head_dim / 2]: theta^(-2i / head_dim), then the
/// llama3 scaling, which leaves short wave lengths alone, divides long ones by `factor` and blends
/// between. Computed in fp64, rounded once.
std::vector<float> rotary_frequencies(const ModelConfig& config);

/// cos and sin of position * frequency, in fp32 [positions, head_dim / 2].
struct RotaryTable {
  Matrix<float> cosine;
  Matrix<float> sine;
};
RotaryTable rotary_table(const ModelConfig& config, std::size_t positions);
/// Makes the table anew where it has fewer positions; else it is only read.
void lengthen(RotaryTable& table, const ModelConfig& config, std::size_t positions);

/// Rotates heads that lie side by side, in place: entry i of each head against entry i + half.
/// @param heads [heads * head_dim]  @param cosine, sine of the position [head_dim / 2]
void rotate_heads(std::span<float> heads, std::span<const float> cosine,
                  std::span<const float> sine);

}  // namespace btc
