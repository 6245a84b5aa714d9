#pragma once
/// Row scales times column scales, in plain loops and doubles: every backend calls this.

#include <cstdint>
#include <vector>

#include "common/matrix.hpp"

namespace btc {

/// One group of a panel: w_ij = sum over planes of row(i, plane) * column(plane, j) * B_plane.
struct RowColumnFit {
  Matrix<double> row;                     ///< [n, planes]; 0 where a row has no entries
  Matrix<double> column;                  ///< [planes, k]; 1 where a column has no entries
  std::vector<Matrix<std::int8_t>> sign;  ///< per plane [n, k], +1 or -1
};

/// alpha_r = mean |W| of a row, alpha_c = mean |W / alpha_r| of a column, then least squares of
/// both in turn. One plane keeps B = sign(W); two planes take the nearest of the four values after
/// each sweep, first on ties in the order (-,-), (-,+), (+,-), (+,+). The factor that row and
/// column scales can exchange is chosen so that the column scales of each plane have mean 1.
/// @param mask [n, k], 1 for the entries of the group
/// @see ARB-LLM Sec. 3.3
RowColumnFit fit_row_column(MatrixView<const float> x, const Matrix<std::uint8_t>& mask, int planes,
                            int iterations);

/// Moves the factor between row and column scales so that the column scales of each plane have mean
/// 1 over the used columns; the others become 1. @param used [k], whether a column has entries
void normalise_columns(RowColumnFit& fit, const std::vector<bool>& used);

}  // namespace btc
