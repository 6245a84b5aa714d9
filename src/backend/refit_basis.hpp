#pragma once
/// The least-squares problem behind `ArbSession::refit`, without its metric. Constexpr functions
/// run in CUDA kernels too.

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

#include "backend/panel.hpp"

namespace btc {

/// One entry of a panel, as it enters the basis.
struct RefitEntry {
  std::uint8_t group = 0;
  std::size_t j = 0;     ///< column of the panel
  std::size_t rank = 0;  ///< among the salient columns, if it is salient
  double sign = 0;       ///< +1 or -1
  double residual = 0;   ///< the second plane's, if it is salient
};

/// d q_ij / d unknown of one entry: `count` derivatives, from unknown `first` on.
struct RefitTerms {
  std::size_t first = 0;
  std::size_t count = 0;
  std::array<double, 3> derivative{};
};

/// alpha_col[g, j] of a panel of `width` columns; 1 if absent.
constexpr double column_scale(const PanelScalesView& scales, std::size_t g, std::size_t j,
                              std::size_t width) {
  if (scales.alpha_col.empty()) {
    return 1.0;
  }
  const std::size_t row = scales.alpha_col.size() == width ? 0 : g;
  return static_cast<double>(scales.alpha_col[row * width + j]);
}

/// salient_alpha_col[plane, rank]; 1 if absent.
constexpr double plane_scale(const PanelScalesView& scales, std::size_t plane, std::size_t rank) {
  if (scales.salient_alpha_col.empty()) {
    return 1.0;
  }
  const std::size_t columns = scales.salient_alpha_col.size() / scales.salient_alpha.cols();
  return static_cast<double>(scales.salient_alpha_col[plane * columns + rank]);
}

/// A row of a panel is linear in its scales. Unknowns, in this order: alpha and mu of each group,
/// then alpha, residual alpha and mu of each salient group where there are any. The derivative of
/// an absent term is 0.
/// @param groups  G
/// @param width   k
constexpr RefitTerms refit_terms(const PanelScalesView& scales, std::size_t groups,
                                 std::size_t width, const RefitEntry& e) {
  if (!is_salient(e.group)) {
    return {2 * std::size_t{e.group},
            2,
            {e.sign * column_scale(scales, e.group, e.j, width), scales.mu.rows() == 0 ? 0.0 : 1.0,
             0.0}};
  }
  const std::size_t s = salient_group(e.group);
  return {
      2 * groups + 3 * s,
      3,
      {e.sign * plane_scale(scales, 2 * s, e.rank),
       e.residual * plane_scale(scales, 2 * s + 1, e.rank), scales.salient_mu.empty() ? 0.0 : 1.0}};
}

/// The terms of whole rows.
struct RefitBasis {
  const PanelGroups& groups;
  const PanelScales& scales;
  const PanelCode& code;

  [[nodiscard]] std::size_t unknowns() const {
    return 2 * groups.count + (groups.salient.empty() ? 0 : 3 * groups.salient_count);
  }
  /// d q_ij / d unknown of row i.
  /// @param basis [unknowns, k], zeros on entry
  void fill(std::size_t i, MatrixView<double> basis) const;
};

/// Adds a solution to the scales of row i; absent terms stay absent.
void add_refit_step(std::size_t i, std::span<const double> step, PanelScales& scales);

/// Square of the Cholesky factor's element (j, j), where `a` [p, p] holds the factor's columns left
/// of j, and from j on the lower triangle of the matrix. Adds the ridge of `solve_ridged`.
constexpr double squared_pivot(std::span<const double> a, std::size_t p, std::size_t j) {
  constexpr double kRidge = 1e-9;
  double x = a[j * p + j] > 0 ? a[j * p + j] * (1 + kRidge) : 1.0;
  for (std::size_t l = 0; l < j; ++l) {
    x -= a[j * p + l] * a[j * p + l];
  }
  return std::max(x, 1e-300);
}

/// The factor's element (i, j), i > j, when (j, j) has been found as well.
constexpr double factor_element(std::span<const double> a, std::size_t p, std::size_t i,
                                std::size_t j) {
  double x = a[i * p + j];
  for (std::size_t l = 0; l < j; ++l) {
    x -= a[i * p + l] * a[j * p + l];
  }
  return x / a[j * p + j];
}

/// Solves L L^T x = b in place; `a` [p, p] holds L in its lower triangle.
constexpr void solve_factored(std::span<const double> a, std::span<double> b) {
  const std::size_t p = b.size();
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

/// Solves (A + ridge) x = b in place for a symmetric positive semi-definite A [p, p], row-major.
/// The ridge is 1e-9 of each diagonal element: an undetermined direction keeps its old value. A
/// zero diagonal element leaves its unknown 0.
void solve_ridged(std::span<double> a, std::span<double> b);

}  // namespace btc
