#pragma once
/// Weights that are binary already, as in FBI-LLM checkpoints: w = alpha_col[j] * B + mu_col[j].

#include <vector>

#include "common/matrix.hpp"

namespace btc {

/// Scale and mean of each column, fp16 values.
struct GivenScales {
  std::vector<float> alpha_col;  ///< [m], >= 0; 0 where a column has one value
  std::vector<float> mu_col;     ///< [m]
};

/// Half the distance and the middle of the two values of every column.
/// @param w [n, m]. @throws NumericError naming the first column with more than two values
GivenScales given_scales(MatrixView<const float> w);

}  // namespace btc
