#pragma once
/// The least-squares problem behind `ArbSession::refit`, without its metric.

#include <span>

#include "backend/panel.hpp"

namespace btc {

/// A row of a panel is linear in its scales. Unknowns, in this order: alpha and mu of each group,
/// then alpha, residual alpha and mu of each salient group where there are any.
struct RefitBasis {
  const PanelGroups& groups;
  const PanelScales& scales;
  const PanelCode& code;

  [[nodiscard]] std::size_t unknowns() const {
    return 2 * groups.count + (groups.salient.empty() ? 0 : 3 * groups.salient_count);
  }
  /// d q_ij / d unknown of row i, zero for absent terms.
  /// @param basis [unknowns, k], zeros on entry
  void fill(std::size_t i, MatrixView<double> basis) const;

  [[nodiscard]] double column_scale(std::size_t g, std::size_t j, std::size_t width) const;
  [[nodiscard]] double plane_scale(std::size_t plane, std::size_t rank) const;
};

/// Adds a solution to the scales of row i; absent terms stay absent.
void add_refit_step(std::size_t i, std::span<const double> step, PanelScales& scales);

/// Solves (A + ridge) x = b in place for a symmetric positive semi-definite A [p, p], row-major.
/// The ridge is 1e-9 of each diagonal element: an undetermined direction keeps its old value. A
/// zero diagonal element leaves its unknown 0.
void solve_ridged(std::span<double> a, std::span<double> b);

}  // namespace btc
