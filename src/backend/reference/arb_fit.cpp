#include "backend/fit_groups.hpp"
#include "backend/reference/arb_session.hpp"

namespace btc {

PanelFit ReferenceArbSession::fit(MatrixView<const float> x, const PanelGroups& groups,
                                  const FitParams& params) {
  PanelFit fit = empty_fit(x, groups, keeps_own_signs(params.rule));
  fit_rows(x, groups, params, 0, x.rows(), fit);
  return fit;
}

}  // namespace btc
