#pragma once
/// Least-squares scales of one row of a panel for frozen signs, in the metric V = U_CC^-1. All in
/// doubles, each sum in the order of the reference.

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <span>

#include "backend/entry.hpp"
#include "backend/refit_basis.hpp"
#include "cuda/arb/bit_rows.hpp"
#include "cuda/arb/eliminate.hpp"
#include "cuda/host_device.hpp"

namespace btc::cuda {

/// What `ArbSession::refit` is asked, where the kernel reads it.
struct RefitProblem {
  MatrixView<const float> w;            ///< [n, k]
  MatrixView<const float> u;            ///< [k, k], the panel's rows and columns of U
  std::span<const std::uint32_t> rank;  ///< [k], of the salient columns among themselves
  PanelScalesView scales;
  BitRows<const std::uint8_t> signs;     ///< [n, k]
  BitRows<const std::uint8_t> residual;  ///< [n, K]
  MatrixView<const std::uint8_t> group;  ///< [n, k]
  std::size_t groups = 1;                ///< G
  std::size_t unknowns = 0;              ///< p, as `RefitBasis::unknowns`
};

/// A team's memory for one row, in doubles.
struct RefitMemory {
  std::size_t unknowns;
  std::size_t width;

  /// From one vector of the basis to the next: odd, so that members who read one column of several
  /// vectors meet different banks.
  [[nodiscard]] BTC_HD constexpr std::size_t stride() const { return width | 1U; }
  [[nodiscard]] BTC_HD constexpr std::size_t gram() const { return (unknowns + 1) * stride(); }
  [[nodiscard]] BTC_HD constexpr std::size_t step() const { return gram() + unknowns * unknowns; }
  [[nodiscard]] BTC_HD constexpr std::size_t size() const { return step() + unknowns; }
};

/// The row's entry in column j: its derivatives and its error, one below the other.
/// @param column  [p + 1], `stride` apart
BTC_HD inline void fill_refit_column(const RefitProblem& p, std::size_t i, std::size_t j,
                                     double* column, std::size_t stride) {
  for (std::size_t a = 0; a < p.unknowns; ++a) {
    column[a * stride] = 0.0;
  }
  RefitEntry entry{p.group(i, j), j, p.rank[j], p.signs.sign(i, j), 0.0};
  float q = 0;
  if (is_salient(entry.group)) {
    entry.residual = p.residual.sign(i, entry.rank);
    q = salient_value(salient_scale(p.scales, i, salient_group(entry.group), entry.rank),
                      entry.sign > 0, entry.residual > 0);
  } else {
    q = entry_value(entry_scale(p.scales, i, entry.group, j, p.u.cols()), entry.sign > 0);
  }
  column[p.unknowns * stride] = static_cast<double>(p.w(i, j)) - static_cast<double>(q);
  const RefitTerms terms = refit_terms(p.scales, p.groups, p.u.cols(), entry);
  for (std::size_t t = 0; t < terms.derivative.size(); ++t) {
    if (t < terms.count) {
      column[(terms.first + t) * stride] = terms.derivative[t];
    }
  }
}

/// Products of the basis vectors with each other and with the error, one member for each. Ends with
/// a sync.
/// @param gram  [p, p], gets its lower triangle
template <class Team>
BTC_HD void refit_products(const Team& team, const double* basis, std::size_t width,
                           std::span<double> gram, std::span<double> right) {
  const std::size_t p = right.size();
  const std::size_t stride = RefitMemory{p, width}.stride();
  const std::size_t pairs = p * (p + 1) / 2 + p;
  for (auto e = static_cast<std::size_t>(team.rank()); e < pairs;
       e += static_cast<std::size_t>(team.size())) {
    std::size_t a =
        0;  // pair e is (a, b): rows of the triangle one after the other, then the error
    std::size_t b = e;
    while (a < p && b > a) {
      ++a;
      b -= a;
    }
    double sum = 0;
    for (std::size_t j = 0; j < width; ++j) {
      sum += basis[a * stride + j] * basis[b * stride + j];
    }
    (a < p ? gram[a * p + b] : right[b]) = sum;
  }
  team.sync();
}

/// `solve_ridged` by a team. Ends with a sync.
template <class Team>
BTC_HD void solve_ridged_by(const Team& team, std::span<double> a, std::span<double> b) {
  const std::size_t p = b.size();
  for (std::size_t j = 0; j < p; ++j) {
    if (team.rank() == 0) {
      a[j * p + j] = std::sqrt(squared_pivot(a, p, j));
    }
    team.sync();
    for (std::size_t i = j + 1 + static_cast<std::size_t>(team.rank()); i < p;
         i += static_cast<std::size_t>(team.size())) {
      a[i * p + j] = factor_element(a, p, i, j);
    }
    team.sync();
  }
  if (team.rank() == 0) {
    solve_factored(a, b);
  }
  team.sync();
}

/// Changes of the scales of row i.
/// @param memory  [RefitMemory::size()], shared by the team
/// @param step    [p], result
template <class Team>
BTC_HD void refit_row(const Team& team, const RefitProblem& p, std::size_t i, double* memory,
                      double* step) {
  const RefitMemory layout{p.unknowns, p.u.cols()};
  const std::span<double> gram(memory + layout.gram(), p.unknowns * p.unknowns);
  const std::span<double> right(memory + layout.step(), p.unknowns);
  for (auto j = static_cast<std::size_t>(team.rank()); j < layout.width;
       j += static_cast<std::size_t>(team.size())) {
    fill_refit_column(p, i, j, memory + j, layout.stride());
  }
  team.sync();
  times_inverse(team, p.u, p.unknowns + 1, memory, layout.stride());
  refit_products(team, memory, layout.width, gram, right);
  solve_ridged_by(team, gram, right);
  for (auto a = static_cast<std::size_t>(team.rank()); a < p.unknowns;
       a += static_cast<std::size_t>(team.size())) {
    step[a] = right[a];
  }
  team.sync();  // the memory is free for the next row
}

}  // namespace btc::cuda
