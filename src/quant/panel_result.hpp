#pragma once
/// A panel once it is binarized, and how panels make a QuantizedLinear.

#include <vector>

#include "backend/panel.hpp"
#include "quant/quantized_linear.hpp"

namespace btc {

/// Everything that was decided about one panel. Scales are fp16 values.
struct PanelResult {
  Panel panel;
  PanelGroups groups;
  Matrix<float> thresholds;  ///< [n, s] on |w|, where the groups follow the weights; or empty
  PanelScales scales;
  PanelCode code;
  std::vector<std::uint32_t> set_index;  ///< layout masked: codewords of its sets, one by one
};

/// Rounds every scale to fp16.
/// @throws NumericError naming the panel's first column, the row and the scale that is not finite
void round_scales(Panel panel, PanelScales& scales);

/// @param whole_row the scales of all panels are those of the first, but for alpha_col
QuantizedLinear assemble(const std::vector<PanelResult>& panels, std::size_t rows, std::size_t cols,
                         int vector_length, bool whole_row);

/// Targets of all panels side by side [n, m].
Matrix<float> assemble_targets(const std::vector<PanelResult>& panels, std::size_t rows,
                               std::size_t cols);

}  // namespace btc
