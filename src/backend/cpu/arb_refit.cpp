/// Refit of scales: the basis vectors of a tile of rows are multiplied by U_CC^-1 in one product.
#include <Eigen/Core>
#include <algorithm>

#include "backend/cpu/arb_session.hpp"
#include "backend/refit_basis.hpp"

namespace btc {
namespace {

constexpr std::size_t kTile = 64;

using RowMajor = Eigen::Matrix<double, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
using Eigen::Index;

/// U_CC^-1, upper triangular.
RowMajor inverse_of(MatrixView<const float> u) {
  const std::size_t k = u.rows();
  RowMajor inverse = RowMajor::Zero(static_cast<Index>(k), static_cast<Index>(k));
  for (std::size_t i = 0; i < k; ++i) {
    double* row = inverse.data() + i * k;
    row[i] = 1;
    for (std::size_t j = i; j < k; ++j) {
      row[j] /= static_cast<double>(u(j, j));
      for (std::size_t l = j + 1; l < k; ++l) {
        row[l] -= row[j] * static_cast<double>(u(j, l));
      }
    }
  }
  return inverse;
}

}  // namespace

PanelScales CpuArbSession::refit(Panel panel, const PanelGroups& groups, const PanelScales& scales,
                                 const PanelCode& code) {
  PanelScales result = scales;
  const std::size_t k = panel.width();
  const RowMajor inverse = inverse_of(u_.sub(panel.begin, panel.end, panel.begin, panel.end));
  const Matrix<float> q = dequantize_panel(scales, groups, code);
  const RefitBasis basis{groups, scales, code};
  const std::size_t p = basis.unknowns();
  workers_->for_blocks(w_.rows(), kTile, [&](std::size_t begin, std::size_t end) {
    RowMajor stacked =
        RowMajor::Zero(static_cast<Index>((end - begin) * (p + 1)), static_cast<Index>(k));
    for (std::size_t i = begin; i < end; ++i) {
      const MatrixView<double> rows(stacked.data() + (i - begin) * (p + 1) * k, p + 1, k);
      basis.fill(i, rows);
      for (std::size_t j = 0; j < k; ++j) {
        rows(p, j) = static_cast<double>(w_(i, panel.begin + j)) - static_cast<double>(q(i, j));
      }
    }
    const RowMajor product = stacked * inverse;
    std::vector<double> gram(p * p);
    std::vector<double> step(p);
    for (std::size_t i = begin; i < end; ++i) {
      const auto rows =
          product.middleRows(static_cast<Index>((i - begin) * (p + 1)), static_cast<Index>(p + 1));
      const RowMajor all = rows.topRows(static_cast<Index>(p)) * rows.transpose();
      for (std::size_t a = 0; a < p; ++a) {
        step[a] = all(static_cast<Index>(a), static_cast<Index>(p));
        for (std::size_t b = 0; b < p; ++b) {
          gram[a * p + b] = all(static_cast<Index>(a), static_cast<Index>(b));
        }
      }
      solve_ridged(gram, step);
      add_refit_step(i, step, result);
    }
  });
  return result;
}

}  // namespace btc
