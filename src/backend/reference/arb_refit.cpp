#include "backend/reference/arb_session.hpp"
#include "backend/refit_basis.hpp"

namespace btc {
namespace {

/// x := x V with V = U_CC^-1, by forward substitution.
void times_inverse(std::span<double> x, MatrixView<const float> u) {
  for (std::size_t j = 0; j < x.size(); ++j) {
    for (std::size_t l = 0; l < j; ++l) {
      x[j] -= x[l] * static_cast<double>(u(l, j));
    }
    x[j] /= static_cast<double>(u(j, j));
  }
}

double dot(std::span<const double> a, std::span<const double> b) {
  double sum = 0;
  for (std::size_t j = 0; j < a.size(); ++j) {
    sum += a[j] * b[j];
  }
  return sum;
}

}  // namespace

PanelScales ReferenceArbSession::refit(Panel panel, const PanelGroups& groups,
                                       const PanelScales& scales, const PanelCode& code) {
  PanelScales result = scales;
  const MatrixView<const float> u = u_.sub(panel.begin, panel.end, panel.begin, panel.end);
  const Matrix<float> q = dequantize_panel(scales, groups, code);
  const RefitBasis basis{groups, scales, code};
  const std::size_t p = basis.unknowns();
  for (std::size_t i = 0; i < w_.rows(); ++i) {
    std::vector<double> error(panel.width());
    for (std::size_t j = 0; j < panel.width(); ++j) {
      error[j] = static_cast<double>(w_(i, panel.begin + j)) - static_cast<double>(q(i, j));
    }
    times_inverse(error, u);
    Matrix<double> rows(p, panel.width());
    basis.fill(i, rows.view());
    for (std::size_t a = 0; a < p; ++a) {
      times_inverse(rows.row(a), u);
    }
    std::vector<double> gram(p * p);
    std::vector<double> step(p);
    for (std::size_t a = 0; a < p; ++a) {
      step[a] = dot(rows.row(a), error);
      for (std::size_t b = 0; b < p; ++b) {
        gram[a * p + b] = dot(rows.row(a), rows.row(b));
      }
    }
    solve_ridged(gram, step);
    add_refit_step(i, step, result);
  }
  return result;
}

}  // namespace btc
