#pragma once
/// Scales shared by a whole row (`scales: row`): w = alpha[i, g] * alpha_col[j] * B, no mean;
/// salient columns w = salient_alpha[i, 0] * B + salient_alpha[i, 1] * R.

#include <cstdint>
#include <span>
#include <vector>

#include "common/bit_matrix.hpp"
#include "common/matrix.hpp"

namespace btc {

struct RowScales {
  Matrix<float> alpha;           ///< [n, G]
  Matrix<float> salient_alpha;   ///< [n, 2], empty without salient columns
  std::vector<float> alpha_col;  ///< [m], mean 1 over the other columns; 1 in salient columns
  /// [G], first 1: alpha[i, g] = alpha[i, 0] * group_ratio[g]; empty: every group has its own
  std::vector<float> group_ratio;
};

/// What row scales are fitted to.
struct RowProblem {
  MatrixView<const float> target;        ///< [n, m]
  MatrixView<const std::uint8_t> group;  ///< [n, m], 0..G-1 or kSalientGroup
  std::size_t groups = 1;                ///< G
  std::span<const float> importance;     ///< [m], h_j
};

/// Signs free: B = sign(target), and (B, R) the nearest of four. Alternating least squares in the
/// metric sum_j h_j (w - q)^2, rows first. fp32, unrounded; an empty group gives 0, a column whose
/// scales are all 0 gives 1.
RowScales fit_row_scales(const RowProblem& problem, int iterations);

/// Signs frozen. The metric is diagonal on purpose: least squares in the full metric H lowers the
/// error of the Linear's output further, but it does so on a few hot channels only, and the model's
/// perplexity rises.
/// @param residual [n, K], second plane of the salient columns
RowScales refit_row_scales(const RowProblem& problem, const BitMatrix& signs,
                           const BitMatrix& residual, int iterations);

/// Replaces the scales of the groups by products, nearest in the metric of the fit: the
/// least-squares alpha of a row and group is worth sum_j h_j alpha_col_j^2 over its entries.
/// Alternating least squares. A first group that is empty everywhere takes no part: its ratio is 1
/// and the rows' scales lie among those of the others, whose ratios are fitted to them (a single
/// other group gets 1 as well).
void share_group_ratio(const RowProblem& problem, RowScales& scales);

}  // namespace btc
