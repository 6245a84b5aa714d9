#include "backend/fit_groups.hpp"
#include "backend/reference/arb_session.hpp"

namespace btc {

PanelFit ReferenceArbSession::fit(MatrixView<const float> x, const PanelGroups& groups,
                                  const FitParams& params) {
  if (params.rule == FitRule::kArbRc) {
    return fit_row_column_panel(x, groups, params.iterations);
  }
  PanelFit fit = empty_fit(x, groups, keeps_own_signs(params.rule));
  fit_rows(x, groups, params, 0, x.rows(), fit);
  return fit;
}

}  // namespace btc
