#pragma once
/// What the binarize stage leaves for the later ones, and its HDF5 file.

#include <array>
#include <filesystem>
#include <span>
#include <string>
#include <vector>

#include "calibration/activation_store.hpp"
#include "common/ids.hpp"
#include "common/pattern.hpp"
#include "config/pipeline_config.hpp"
#include "model/model_source.hpp"
#include "model/torch_place.hpp"
#include "quant/hessian.hpp"
#include "quant/transform.hpp"
#include "refine/block_loss.hpp"

namespace btc {

/// Pass 1 of one Linear.
struct BinarizedLinear {
  std::vector<std::uint32_t> salient_columns;  ///< ascending
  /// Of the free signs; with scope `block_group` one for each panel
  std::vector<PatternHistogram> histograms;
  double relative_error = 0;  ///< tr(E H E^T) / tr(W H W^T) with free signs
};

/// A block after binarize. Without a codebook nobody needs pass 1 (encode is the only pass then):
/// `linear` is empty.
struct BinarizedBlock {
  std::array<HessianFactor, kSharedInputs.size()> factor;  ///< by index_of(SharedInput)
  std::vector<BinarizedLinear> linear;                     ///< by index_of(LinearKind), or empty
};

/// Hessians from the stored inputs of the block (one pass over the file), their factors, and
/// pass 1.
/// @param online factors that the inputs pass before the Linears
/// @param place where the block runs
/// @throws NumericError naming the Linear
BinarizedBlock binarize_block(const ModelConfig& model, const BlockWeights& weights,
                              const OnlineFactors& online, ActivationReader& inputs,
                              const BinarizeParams& binarize,
                              const std::optional<CodebookParams>& codebook, Backend& backend,
                              TorchPlace place = {});

/// Which Hessians took more damping than was asked for, to be appended to the unit's note; empty if
/// none did.
std::string describe_damping(const BinarizedBlock& block);

/// By index_of(SharedInput).
using Hessians = std::array<Matrix<float>, kSharedInputs.size()>;

/// Mean over sequences of 2 X^T X of the inputs that are wanted; the others are empty.
Hessians mean_hessians(const ModelConfig& model, const BlockWeights& weights,
                       std::span<const SharedInput> wanted, const SequenceStream& next,
                       std::size_t sequences, TorchPlace place);
/// The same over all sequences of a reader that nothing was read from yet. Memory for one of them
/// serves all.
Hessians mean_hessians(const ModelConfig& model, const BlockWeights& weights,
                       std::span<const SharedInput> wanted, ActivationReader& inputs,
                       TorchPlace place);

/// @return size in bytes. @param fingerprint of the unit
std::size_t write_binarized(const std::filesystem::path& path, const BinarizedBlock& block,
                            const std::string& fingerprint);
/// @throws FormatError if the file is damaged or of another version
BinarizedBlock read_binarized(const std::filesystem::path& path);
/// The histograms alone, Linear by Linear.
std::vector<PatternHistogram> read_histograms(const std::filesystem::path& path);

}  // namespace btc
