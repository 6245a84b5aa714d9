#include "backend/panel.hpp"

#include <algorithm>
#include <utility>

#include "backend/decode_row.hpp"
#include "backend/entry.hpp"

namespace btc {

namespace {

/// Entries of row i outside the salient columns.
RowEntries entries_of_row(const PanelScales& scales, const PanelCode& code, std::size_t i) {
  const std::size_t k = code.group.cols();
  return {0, code.group.row(i), code.signs.row(i), scales.alpha_col,
          scales.alpha_col.size() == k ? 0 : k};
}

void check_salient_count(const PanelCode& code, std::size_t i, std::size_t expected) {
  const auto groups = code.group.row(i);
  const auto count = std::count_if(groups.begin(), groups.end(), is_salient);
  BTC_CHECK(std::cmp_equal(count, expected), "row ", i, " has ", count, " salient entries of ",
            expected);
}

}  // namespace

void dequantize_rows(const PanelScales& scales, const PanelGroups& groups, const PanelCode& code,
                     std::size_t begin, std::size_t end, MatrixView<float> q) {
  const PanelScalesView view = scales.view();
  RowValues values;
  for (std::size_t i = begin; i < end; ++i) {
    for (std::size_t g = 0; g < view.alpha.cols(); ++g) {
      values.set(g, {view.alpha(i, g), view.mu.rows() == 0 ? 0.0F : view.mu(i, g)});
    }
    decode_entries(values, entries_of_row(scales, code, i), q.row(i));
    check_salient_count(code, i, groups.salient.size());
    for (std::size_t rank = 0; rank < groups.salient.size(); ++rank) {
      const std::size_t j = groups.salient[rank];
      const std::size_t s = salient_group(code.group(i, j));
      q(i, j) = salient_value(salient_scale(view, i, s, rank), code.signs.get(i, j),
                              code.residual.get(i, rank));
    }
  }
}

Matrix<float> dequantize_panel(const PanelScales& scales, const PanelGroups& groups,
                               const PanelCode& code) {
  Matrix<float> q(code.signs.rows(), code.signs.cols());
  dequantize_rows(scales, groups, code, 0, q.rows(), q.view());
  return q;
}

PanelCode nearest_signs(MatrixView<const float> x, const PanelGroups& groups,
                        const PanelScales& scales) {
  const PanelScalesView view = scales.view();
  PanelCode code;
  code.signs = BitMatrix(x.rows(), x.cols());
  code.residual = BitMatrix(x.rows(), groups.salient.size());
  code.group = groups.group;
  code.target = Matrix<float>(x.rows(), x.cols());
  for (std::size_t i = 0; i < x.rows(); ++i) {
    std::size_t rank = 0;
    for (std::size_t j = 0; j < x.cols(); ++j) {
      const float w = x(i, j);
      code.target(i, j) = w;
      const std::uint8_t g = groups.group(i, j);
      if (!is_salient(g)) {
        code.signs.set(i, j, entry_sign(w, entry_scale(view, i, g, j, x.cols())));
        continue;
      }
      const SalientScale scale = salient_scale(view, i, salient_group(g), rank);
      const bool sign = salient_sign(w, scale);
      code.signs.set(i, j, sign);
      code.residual.set(i, rank++, salient_residual(w, scale, sign));
    }
  }
  return code;
}

PanelCode fitted_code(MatrixView<const float> x, const PanelGroups& groups, const PanelFit& fit) {
  return fit.code.group.empty() ? nearest_signs(x, groups, fit.scales) : fit.code;
}

}  // namespace btc
