#pragma once
/// A panel's fit put together from fits of its rows and groups.

#include <cstddef>
#include <span>

#include "backend/fit_rule.hpp"
#include "backend/panel.hpp"
#include "backend/row_column_fit.hpp"

namespace btc {

/// Room for the fit of a panel by this rule; with `own_signs` also for its signs.
PanelFit empty_fit(MatrixView<const float> x, const PanelGroups& groups, bool own_signs);

/// Whether a rule's signs are not the nearest ones to its scales.
bool keeps_own_signs(FitRule rule);

/// Rows [begin, end) of `fit`. Rows do not depend on each other. Not for kArbRc.
void fit_rows(MatrixView<const float> x, const PanelGroups& groups, const FitParams& params,
              std::size_t begin, std::size_t end, PanelFit& fit);

/// Their salient entries only.
void fit_salient_rows(MatrixView<const float> x, const PanelGroups& groups, const FitParams& params,
                      std::size_t begin, std::size_t end, PanelFit& fit);

/// The whole panel by row and column scales; no mean.
PanelFit fit_row_column_panel(MatrixView<const float> x, const PanelGroups& groups, int iterations);

/// The same from its parts: one of each group, then, if there are salient columns, one of each
/// salient group. Signs are not looked at.
PanelFit row_column_panel(const PanelGroups& groups, std::span<const RowColumnFit> parts);

}  // namespace btc
