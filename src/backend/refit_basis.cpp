#include "backend/refit_basis.hpp"

#include <cmath>

namespace btc {

void RefitBasis::fill(std::size_t i, MatrixView<double> basis) const {
  const PanelScalesView view = scales.view();
  std::size_t rank = 0;
  for (std::size_t j = 0; j < basis.cols(); ++j) {
    RefitEntry entry{code.group(i, j), j, 0, static_cast<double>(code.signs.sign(i, j)), 0.0};
    if (is_salient(entry.group)) {
      entry.rank = rank++;
      entry.residual = static_cast<double>(code.residual.sign(i, entry.rank));
    }
    const RefitTerms terms = refit_terms(view, groups.count, basis.cols(), entry);
    for (std::size_t t = 0; t < terms.count; ++t) {
      basis(terms.first + t, j) = terms.derivative[t];
    }
  }
}

void add_refit_step(std::size_t i, std::span<const double> step, PanelScales& scales) {
  const std::size_t groups = scales.alpha.cols();
  const auto add = [](float& scale, double change) {
    scale = static_cast<float>(static_cast<double>(scale) + change);
  };
  for (std::size_t g = 0; g < groups; ++g) {
    add(scales.alpha(i, g), step[2 * g]);
    if (!scales.mu.empty()) {
      add(scales.mu(i, g), step[2 * g + 1]);
    }
  }
  const std::size_t salient = (step.size() - 2 * groups) / 3;
  for (std::size_t s = 0; s < salient; ++s) {
    const auto part = step.subspan(2 * groups + 3 * s, 3);
    add(scales.salient_alpha(i, 2 * s), part[0]);
    add(scales.salient_alpha(i, 2 * s + 1), part[1]);
    if (!scales.salient_mu.empty()) {
      add(scales.salient_mu[i * salient + s], part[2]);
    }
  }
}

void solve_ridged(std::span<double> a, std::span<double> b) {
  const std::size_t p = b.size();
  for (std::size_t j = 0; j < p; ++j) {
    a[j * p + j] = std::sqrt(squared_pivot(a, p, j));
    for (std::size_t i = j + 1; i < p; ++i) {
      a[i * p + j] = factor_element(a, p, i, j);
    }
  }
  solve_factored(a, b);
}

}  // namespace btc
