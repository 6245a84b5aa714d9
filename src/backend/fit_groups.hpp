#pragma once
/// A panel's fit put together from fits of its rows and groups.

#include <cstddef>

#include "backend/fit_rule.hpp"
#include "backend/panel.hpp"

namespace btc {

/// Room for the fit of a panel by this rule; with `own_signs` also for its signs.
PanelFit empty_fit(MatrixView<const float> x, const PanelGroups& groups, bool own_signs);

/// Whether a rule's signs are not the nearest ones to its scales.
bool keeps_own_signs(FitRule rule);

/// Rows [begin, end) of `fit`. Rows do not depend on each other. Not for kArbRc.
void fit_rows(MatrixView<const float> x, const PanelGroups& groups, const FitParams& params,
              std::size_t begin, std::size_t end, PanelFit& fit);

/// The whole panel by row and column scales; no mean.
PanelFit fit_row_column_panel(MatrixView<const float> x, const PanelGroups& groups, int iterations);

}  // namespace btc
