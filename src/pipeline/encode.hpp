#pragma once
/// The encode stage: the signs, indices and scales that are stored.

#include <array>
#include <filesystem>
#include <functional>
#include <memory>
#include <vector>

#include "config/pipeline_config.hpp"
#include "model/checkpoint.hpp"
#include "pack/packed_block.hpp"
#include "pipeline/binarized_block.hpp"

namespace btc {

/// The stored form that the settings ask for.
PackedFormat packed_format(const BinarizeParams& binarize,
                           const std::optional<CodebookParams>& codebook);

/// An encoded block and how good each Linear is.
struct EncodedBlock {
  std::array<QuantizedLinear, kLinearKinds.size()> linear;
  std::array<double, kLinearKinds.size()> relative_error{};
};

/// Called before a Linear is encoded: may change the Linears of the block that come from this one
/// on, the scales of those before, which lie in `block` and, decoded, in `weights`, and the factor
/// of the Linear's input.
using PrepareLinear = std::function<void(LinearKind kind, BlockWeights& weights,
                                         EncodedBlock& block, HessianFactor& factor)>;

/// Encodes the Linears in their order. Each encoded Linear takes its dense one's place in
/// `weights`.
/// @param prepare may be empty
/// @param searches one per Linear (scope linear), a single one for all, or none (free signs)
/// @throws NumericError naming the Linear
EncodedBlock encode_block(BlockWeights weights, BinarizedBlock binarized,
                          const BinarizeParams& binarize,
                          const std::optional<CodebookParams>& codebook,
                          const std::vector<std::unique_ptr<CodewordSearch>>& searches,
                          Backend& backend, const PrepareLinear& prepare);

/// Norms and biases of a block as the checkpoint stores them.
std::vector<TensorView> copied_tensors(const Checkpoint& checkpoint, int block);

/// `relative error mean 0.0412, worst 0.0803 (down_proj)`.
std::string describe_errors(const std::array<double, kLinearKinds.size()>& relative_error);

}  // namespace btc
