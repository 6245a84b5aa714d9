#pragma once
/// The encode stage: the signs, indices and scales that are stored.

#include <array>
#include <filesystem>
#include <functional>
#include <memory>
#include <span>
#include <vector>

#include "config/pipeline_config.hpp"
#include "pack/packed_block.hpp"
#include "pipeline/binarized_block.hpp"
#include "quant/quantize_linear.hpp"

namespace btc {

/// Whether group maps are Rice-coded where that is smaller.
bool has_rice_map(const BinarizeParams& binarize);

/// The stored form that the settings ask for.
PackedFormat packed_format(const BinarizeParams& binarize,
                           const std::optional<CodebookParams>& codebook);

/// The same for a whole model, whose inputs may pass a transform.
PackedFormat packed_format(const PipelineConfig& config);

/// Codewords of the Linears of a block, by index_of(LinearKind).
using BlockCodewords = std::vector<LinearCodewords>;

/// The same codewords, or free signs, for all Linears.
BlockCodewords shared_codewords(const CodewordSearch* all);
/// Those of the codebooks of a block.
/// @param searches opened ones, one per Linear or a single one; none for scope `block_group`
/// @param codebooks of the block, for scope `block_group`
BlockCodewords block_codewords(const ModelConfig& model, const BinarizeParams& binarize,
                               const CodebookParams& params,
                               std::span<const std::unique_ptr<CodewordSearch>> searches,
                               std::span<const Codebook> codebooks);

/// An encoded block and how good each Linear is.
struct EncodedBlock {
  std::array<QuantizedLinear, kLinearKinds.size()> linear;
  std::array<double, kLinearKinds.size()> relative_error{};
  int recoveries = 0;  ///< steps of training on the way that were not finite
};

/// Called before a Linear is encoded: may change the Linears of the block that come from this one
/// on, the scales of those before, which lie in `block` and, decoded, in `weights`, and the factor
/// of the Linear's input.
using PrepareLinear = std::function<void(LinearKind kind, BlockWeights& weights,
                                         EncodedBlock& block, HessianFactor& factor)>;

/// Encodes the Linears, in their order where each prepares for the next. Each encoded Linear takes
/// its dense one's place in `weights`, both for the input as the block makes it: before `online`.
/// @param online factors that the inputs pass before the Linears
/// @param prepare may be empty
/// @param codewords of each Linear
/// @throws NumericError naming the Linear
EncodedBlock encode_block(BlockWeights weights, const OnlineFactors& online,
                          BinarizedBlock binarized, const BinarizeParams& binarize,
                          const std::optional<CodebookParams>& codebook,
                          const BlockCodewords& codewords, Backend& backend,
                          const PrepareLinear& prepare);

/// `relative error mean 0.0412, worst 0.0803 (down_proj)`.
std::string describe_errors(const std::array<double, kLinearKinds.size()>& relative_error);
/// `, 2 steps not finite`; empty if there were none.
std::string describe_recoveries(int recoveries);

}  // namespace btc
