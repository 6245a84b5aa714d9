#include "backend/fit_groups.hpp"

#include <algorithm>

#include "backend/row_fit.hpp"
#include "common/error.hpp"

namespace btc {
namespace {

/// The entries of one row and group.
struct Entries {
  std::vector<float> value;
  std::vector<std::uint32_t> column;
};

Entries entries_of(MatrixView<const float> x, const PanelGroups& groups, std::size_t i,
                   std::size_t g) {
  Entries entries;
  for (std::size_t j = 0; j < x.cols(); ++j) {
    if (groups.group(i, j) == g) {
      entries.value.push_back(x(i, j));
      entries.column.push_back(static_cast<std::uint32_t>(j));
    }
  }
  return entries;
}

Matrix<std::uint8_t> mask_of(const PanelGroups& groups, std::size_t g) {
  Matrix<std::uint8_t> mask(groups.group.rows(), groups.group.cols());
  for (std::size_t e = 0; e < mask.size(); ++e) {
    mask.values()[e] = groups.group.values()[e] == g ? 1 : 0;
  }
  return mask;
}

RowFit fit_entries(const Entries& entries, int planes, const FitParams& params) {
  switch (params.rule) {
    case FitRule::kArb:
      return planes == 1 && params.solver == FitSolver::kExact
                 ? fit_two_levels(entries.value)
                 : fit_alternating(entries.value, planes, params.iterations);
    case FitRule::kPlain:
      return fit_plain(entries.value, planes);
    case FitRule::kArbX:
    case FitRule::kArbRc:
      break;
  }
  return fit_in_metric(entries.value, entries.column, params.gram, planes, params.iterations);
}

/// @param salient columns of the panel, whose ranks the second plane has
void keep_signs(const Entries& entries, const RowFit& fit, std::size_t i,
                const std::vector<std::uint32_t>& salient, PanelCode& code) {
  auto next = salient.begin();
  for (std::size_t e = 0; e < entries.column.size(); ++e) {
    code.signs.set(i, entries.column[e], fit.sign[e] > 0);
    if (!fit.residual.empty()) {
      next = std::lower_bound(next, salient.end(), entries.column[e]);
      code.residual.set(i, static_cast<std::size_t>(next - salient.begin()), fit.residual[e] > 0);
    }
  }
}

}  // namespace

bool keeps_own_signs(FitRule rule) { return rule == FitRule::kPlain || rule == FitRule::kArbX; }

PanelFit empty_fit(MatrixView<const float> x, const PanelGroups& groups, bool own_signs) {
  const std::size_t rows = x.rows();
  const bool salient = !groups.salient.empty();
  PanelFit fit;
  fit.scales.alpha = Matrix<float>(rows, groups.count);
  fit.scales.mu = Matrix<float>(rows, groups.count);
  fit.scales.salient_alpha =
      salient ? Matrix<float>(rows, 2 * groups.salient_count) : Matrix<float>();
  fit.scales.salient_mu.resize(salient ? rows * groups.salient_count : 0);
  if (own_signs) {
    fit.code.signs = BitMatrix(rows, x.cols());
    fit.code.residual = BitMatrix(rows, groups.salient.size());
    fit.code.group = groups.group;
    fit.code.target = Matrix<float>(rows, x.cols());
    for (std::size_t i = 0; i < rows; ++i) {
      std::copy(x.row(i).begin(), x.row(i).end(), fit.code.target.row(i).begin());
    }
  }
  return fit;
}

void fit_rows(MatrixView<const float> x, const PanelGroups& groups, const FitParams& params,
              std::size_t begin, std::size_t end, PanelFit& fit) {
  BTC_CHECK(params.rule != FitRule::kArbX || params.gram.rows() == x.cols(), "Gram matrix of ",
            params.gram.rows(), " columns for a panel of ", x.cols());
  const bool own_signs = !fit.code.group.empty();
  for (std::size_t i = begin; i < end; ++i) {
    for (std::size_t g = 0; g < groups.count; ++g) {
      const Entries entries = entries_of(x, groups, i, g);
      const RowFit row = fit_entries(entries, 1, params);
      fit.scales.alpha(i, g) = static_cast<float>(row.alpha);
      fit.scales.mu(i, g) = static_cast<float>(row.mu);
      if (own_signs) {
        keep_signs(entries, row, i, groups.salient, fit.code);
      }
    }
  }
  fit_salient_rows(x, groups, params, begin, end, fit);
}

void fit_salient_rows(MatrixView<const float> x, const PanelGroups& groups, const FitParams& params,
                      std::size_t begin, std::size_t end, PanelFit& fit) {
  const bool own_signs = !fit.code.group.empty();
  const std::size_t count = groups.salient.empty() ? 0 : groups.salient_count;
  for (std::size_t i = begin; i < end; ++i) {
    for (std::size_t s = 0; s < count; ++s) {
      const Entries entries = entries_of(x, groups, i, salient_code(s));
      const RowFit row = fit_entries(entries, 2, params);
      fit.scales.salient_alpha(i, 2 * s) = static_cast<float>(row.alpha);
      fit.scales.salient_alpha(i, 2 * s + 1) = static_cast<float>(row.residual_alpha);
      fit.scales.salient_mu[i * groups.salient_count + s] = static_cast<float>(row.mu);
      if (own_signs) {
        keep_signs(entries, row, i, groups.salient, fit.code);
      }
    }
  }
}

PanelFit fit_row_column_panel(MatrixView<const float> x, const PanelGroups& groups,
                              int iterations) {
  std::vector<RowColumnFit> parts;
  for (std::size_t g = 0; g < groups.count; ++g) {
    parts.push_back(fit_row_column(x, mask_of(groups, g), 1, iterations));
  }
  for (std::size_t s = 0; s < groups.salient_count && !groups.salient.empty(); ++s) {
    parts.push_back(fit_row_column(x, mask_of(groups, salient_code(s)), 2, iterations));
  }
  return row_column_panel(groups, parts);
}

PanelFit row_column_panel(const PanelGroups& groups, std::span<const RowColumnFit> parts) {
  const std::size_t rows = groups.group.rows();
  PanelFit fit;
  fit.scales.alpha = Matrix<float>(rows, groups.count);
  for (std::size_t g = 0; g < groups.count; ++g) {
    for (std::size_t i = 0; i < rows; ++i) {
      fit.scales.alpha(i, g) = static_cast<float>(parts[g].row(i, 0));
    }
    for (const double scale : parts[g].column.values()) {
      fit.scales.alpha_col.push_back(static_cast<float>(scale));
    }
  }
  if (groups.salient.empty()) {
    return fit;
  }
  fit.scales.salient_alpha = Matrix<float>(rows, 2 * groups.salient_count);
  for (std::size_t s = 0; s < groups.salient_count; ++s) {
    const RowColumnFit& part = parts[groups.count + s];
    for (std::size_t plane = 0; plane < 2; ++plane) {
      for (std::size_t i = 0; i < rows; ++i) {
        fit.scales.salient_alpha(i, 2 * s + plane) = static_cast<float>(part.row(i, plane));
      }
      for (const std::uint32_t j : groups.salient) {
        fit.scales.salient_alpha_col.push_back(static_cast<float>(part.column(plane, j)));
      }
    }
  }
  return fit;
}

}  // namespace btc
