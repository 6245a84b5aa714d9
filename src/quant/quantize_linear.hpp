#pragma once
/// The panel loop: binarizes one Linear with error compensation, with or without a codebook.

#include <cstdint>
#include <optional>
#include <span>
#include <utility>
#include <vector>

#include "backend/backend.hpp"
#include "quant/codebook.hpp"
#include "quant/hessian.hpp"
#include "quant/params.hpp"
#include "quant/quantized_linear.hpp"

namespace btc {

/// Codewords of one Linear: none (free signs), the same for all its panels, or each panel's own
/// (with layout `masked` each set's, panel by panel).
struct LinearCodewords {
  LinearCodewords(const CodewordSearch* shared) : all(shared) {}  // NOLINT: null is free signs
  explicit LinearCodewords(std::span<const Codebook> panels) : of_panel(panels) {}

  const CodewordSearch* all = nullptr;
  std::span<const Codebook> of_panel;  ///< opened when their panel is encoded
};

/// A quantized Linear and how good it is.
struct QuantizeResult {
  QuantizedLinear linear;
  double relative_error = 0;        ///< tr(E H E^T) / tr(W H W^T), undamped H; 0 if W H W^T = 0
  std::vector<double> group_share;  ///< [G] share of the non-salient entries
  Matrix<float> fitted;     ///< [n, m] Q before the scales were rounded, for `rounding: end`
  double fitted_error = 0;  ///< relative error of `fitted`
};

/// Binarizes `weight` [n, m]. This is both passes: without `codewords` it leaves the signs free
/// (pass 1, whose patterns the codebook is learned from, or `codebook: none`); with them it chooses
/// codewords, inside the compensation loop or after it (`codebook.encode`).
/// @param codebook  present also in pass 1: it sets the chunk of sequential compensation
/// @param codewords null for free signs; for the codebook's vector length; of each panel where the
///        codebook's scope is `block_group`
/// @param salient   columns to use (from pass 1), or nullopt: find them by the rule
/// @throws NumericError if weights or scales are not finite
QuantizeResult quantize_linear(MatrixView<const float> weight, const HessianFactor& factor,
                               const BinarizeParams& binarize,
                               const std::optional<CodebookParams>& codebook,
                               const LinearCodewords& codewords,
                               const std::optional<std::vector<std::uint32_t>>& salient,
                               Backend& backend);

/// Histograms that the codebooks of a Linear are learned from: of all its signs, or of each panel
/// where the scope is `block_group`; with layout `masked` of its sets. One of a set may be empty.
/// @param linear with free signs
std::vector<PatternHistogram> codebook_histograms(const QuantizedLinear& linear,
                                                  const BinarizeParams& binarize,
                                                  const CodebookParams& codebook);

}  // namespace btc
