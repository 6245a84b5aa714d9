#include <cmath>

#include "backend/reference/arb_session.hpp"

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

/// d q / d scale for every scale of a row: alpha and mu of each group, then of the salient columns.
std::vector<std::vector<double>> basis_of(std::size_t i, const PanelGroups& groups,
                                          const PanelScales& scales, const PanelCode& code) {
  const std::size_t cols = code.signs.cols();
  std::vector<std::vector<double>> basis(2 * groups.count + 3, std::vector<double>(cols, 0.0));
  std::size_t rank = 0;
  for (std::size_t j = 0; j < cols; ++j) {
    const std::size_t g = code.group(i, j);
    const auto sign = static_cast<double>(code.signs.sign(i, j));
    if (g != kSalientGroup) {
      const double column =
          scales.alpha_col.empty() ? 1.0 : static_cast<double>(scales.alpha_col[j]);
      basis[2 * g][j] = sign * column;
      basis[2 * g + 1][j] = scales.mu.empty() ? 0.0 : 1.0;
    } else {
      basis[2 * groups.count][j] = sign;
      basis[2 * groups.count + 1][j] = static_cast<double>(code.residual.sign(i, rank++));
      basis[2 * groups.count + 2][j] = scales.salient_mu.empty() ? 0.0 : 1.0;
    }
  }
  return basis;
}

void add_step(std::size_t i, std::span<const double> step, PanelScales& scales) {
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
  if (!scales.salient_alpha.empty()) {
    add(scales.salient_alpha(i, 0), step[2 * groups]);
    add(scales.salient_alpha(i, 1), step[2 * groups + 1]);
  }
  if (!scales.salient_mu.empty()) {
    add(scales.salient_mu[i], step[2 * groups + 2]);
  }
}

}  // namespace

void solve_ridged(std::span<double> a, std::span<double> b) {
  constexpr double kRidge = 1e-9;
  const std::size_t p = b.size();
  for (std::size_t j = 0; j < p; ++j) {  // Cholesky, lower triangle
    a[j * p + j] = a[j * p + j] > 0 ? a[j * p + j] * (1 + kRidge) : 1.0;
    for (std::size_t l = 0; l < j; ++l) {
      a[j * p + j] -= a[j * p + l] * a[j * p + l];
    }
    a[j * p + j] = std::sqrt(std::max(a[j * p + j], 1e-300));
    for (std::size_t i = j + 1; i < p; ++i) {
      for (std::size_t l = 0; l < j; ++l) {
        a[i * p + j] -= a[i * p + l] * a[j * p + l];
      }
      a[i * p + j] /= a[j * p + j];
    }
  }
  for (std::size_t j = 0; j < p; ++j) {
    for (std::size_t l = 0; l < j; ++l) {
      b[j] -= a[j * p + l] * b[l];
    }
    b[j] /= a[j * p + j];
  }
  for (std::size_t j = p; j-- > 0;) {
    for (std::size_t l = j + 1; l < p; ++l) {
      b[j] -= a[l * p + j] * b[l];
    }
    b[j] /= a[j * p + j];
  }
}

PanelScales ReferenceArbSession::refit(Panel panel, const PanelGroups& groups,
                                       const PanelScales& scales, const PanelCode& code) {
  PanelScales result = scales;
  const MatrixView<const float> u = u_.sub(panel.begin, panel.end, panel.begin, panel.end);
  const Matrix<float> q = dequantize_panel(scales, groups, code);
  for (std::size_t i = 0; i < w_.rows(); ++i) {
    std::vector<double> error(panel.width());
    for (std::size_t j = 0; j < panel.width(); ++j) {
      error[j] = static_cast<double>(w_(i, panel.begin + j)) - static_cast<double>(q(i, j));
    }
    times_inverse(error, u);
    auto basis = basis_of(i, groups, scales, code);
    for (auto& column : basis) {
      times_inverse(column, u);
    }
    const std::size_t p = basis.size();
    std::vector<double> gram(p * p);
    std::vector<double> step(p);
    for (std::size_t a = 0; a < p; ++a) {
      step[a] = dot(basis[a], error);
      for (std::size_t b = 0; b < p; ++b) {
        gram[a * p + b] = dot(basis[a], basis[b]);
      }
    }
    solve_ridged(gram, step);
    add_step(i, step, result);
  }
  return result;
}

}  // namespace btc
