#pragma once
/// Groups of the non-salient entries of a panel, by thresholds.

#include "backend/backend.hpp"
#include "quant/params.hpp"
#include "quant/row_blocks.hpp"

namespace btc {

/// Groups by thresholds on the metric S (`split_rule: search` or `ratio2`); the salient columns of
/// `groups` are kept, the other entries get their group.
///
/// Candidates are the 81 quantiles 0.10 .. 0.90 of S over the whole panel, where entries that have
/// a group already count as zeros. `search` splits off the upper group (S >= threshold) first and
/// goes on with the rest; a split that improves nothing takes the 10 % quantile. `ratio2` scores s
/// thresholds t, 2t, 4t together. What is fixed already is binarized as `method` does it, with the
/// candidates plain; `arb_x` scores `search` by tr(R S R^T) instead, R the error of the metric.
/// `salient_groups` splits the entries of the salient columns the same way, both parts plain and of
/// second order, by the quantiles of their own entries. Ties: the lower candidate. @see ARB-LLM
/// Sec. 3.4; BiLLM; STBLLM
/// @param gram [k, k] S of the panel, read for `arb_x` only
void split_by_metric(ArbSession& session, Panel panel, const Matrix<float>& metric,
                     const BinarizeParams& params, PanelGroups& groups,
                     MatrixView<const float> gram = {});

/// Thresholds [n, s] on |w|, ascending, for `split_rule: magnitude` or `fraction`: t * rms_i with
/// common factors t and the root mean square of each row over its non-salient entries.
/// `magnitude`: Lloyd-Max levels of |w| / rms. `fraction`: the given shares of the entries lie
/// above. @see paper_map.md
/// @param w [n, k]; @param groups [n, k], read only for its salient entries, as many in each row
Matrix<float> magnitude_thresholds(MatrixView<const float> w, MatrixView<const std::uint8_t> groups,
                                   const BinarizeParams& params, const RowBlocks& rows = {});

/// `fraction`, where the weights have changed since their thresholds were set: multiplies each
/// column of `thresholds` [n, s] by the factor that leaves the given shares of the entries of `w`
/// above. Error compensation makes weights grow from panel to panel; without this so would the
/// upper group.
void restore_shares(MatrixView<const float> w, MatrixView<const std::uint8_t> groups,
                    const BinarizeParams& params, MatrixView<float> thresholds);

/// Whether this rule groups by thresholds on |w|.
bool groups_by_magnitude(const BinarizeParams& params);

/// Sets the group of every non-salient entry: the number of its row's thresholds <= |w|.
void group_by_thresholds(MatrixView<const float> w, MatrixView<const float> thresholds,
                         MatrixView<std::uint8_t> groups, const RowBlocks& rows = {});

}  // namespace btc
