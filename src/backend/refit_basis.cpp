#include "backend/refit_basis.hpp"

#include <algorithm>
#include <cmath>

namespace btc {

double RefitBasis::column_scale(std::size_t g, std::size_t j, std::size_t width) const {
  if (scales.alpha_col.empty()) {
    return 1.0;
  }
  const std::size_t row = scales.alpha_col.size() == width ? 0 : g;
  return static_cast<double>(scales.alpha_col[row * width + j]);
}

double RefitBasis::plane_scale(std::size_t plane, std::size_t rank) const {
  const std::vector<float>& column = scales.salient_alpha_col;
  return column.empty() ? 1.0 : static_cast<double>(column[plane * groups.salient.size() + rank]);
}

void RefitBasis::fill(std::size_t i, MatrixView<double> basis) const {
  std::size_t rank = 0;
  for (std::size_t j = 0; j < basis.cols(); ++j) {
    const std::uint8_t g = code.group(i, j);
    const auto sign = static_cast<double>(code.signs.sign(i, j));
    if (!is_salient(g)) {
      basis(2 * std::size_t{g}, j) = sign * column_scale(g, j, basis.cols());
      basis(2 * std::size_t{g} + 1, j) = scales.mu.empty() ? 0.0 : 1.0;
    } else {
      const std::size_t s = salient_group(g);
      const std::size_t at = 2 * groups.count + 3 * s;
      basis(at, j) = sign * plane_scale(2 * s, rank);
      basis(at + 1, j) =
          static_cast<double>(code.residual.sign(i, rank)) * plane_scale(2 * s + 1, rank);
      basis(at + 2, j) = scales.salient_mu.empty() ? 0.0 : 1.0;
      ++rank;
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

}  // namespace btc
