#pragma once
/// The saliency metric of a panel and the choice of its salient columns.

#include <cstdint>
#include <vector>

#include "backend/backend.hpp"
#include "quant/params.hpp"
#include "quant/row_blocks.hpp"

namespace btc {

/// S_ij = w_ij^2 / U_jj^2 in fp32, of the current weights `w` [n, k] of a panel.
/// @param u [m, m], the whole factor
Matrix<float> saliency_metric(MatrixView<const float> w, Panel panel, MatrixView<const float> u,
                              const RowBlocks& rows = {});

/// Salient columns of a panel, ascending, relative to it.
/// `search`: columns are ranked by their sum of `metric` (ties: the left one first); of the first
/// 1, 2, .. 49 the count with the smallest score is taken (ties: the smaller count). A panel
/// narrower than 49 columns may become salient altogether.
/// `fraction`: the first round(salient_fraction * k) of the same ranking.
/// @see ARB-LLM Sec. 3.4; BiLLM
std::vector<std::uint32_t> find_salient_columns(ArbSession& session, Panel panel,
                                                const Matrix<float>& metric,
                                                const BinarizeParams& params);

/// Groups of a panel with these salient columns and everything else in group 0.
PanelGroups ungrouped(std::size_t rows, std::size_t cols, std::vector<std::uint32_t> salient);

}  // namespace btc
