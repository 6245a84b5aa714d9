#include "backend/panel.hpp"

#include "backend/entry.hpp"

namespace btc {

void dequantize_rows(const PanelScales& scales, const PanelGroups& groups, const PanelCode& code,
                     std::size_t begin, std::size_t end, MatrixView<float> q) {
  const PanelScalesView view = scales.view();
  for (std::size_t i = begin; i < end; ++i) {
    std::size_t rank = 0;
    for (std::size_t j = 0; j < q.cols(); ++j) {
      const std::uint8_t g = code.group(i, j);
      if (is_salient(g)) {
        q(i, j) = salient_value(salient_scale(view, i, salient_group(g), rank),
                                code.signs.get(i, j), code.residual.get(i, rank));
        ++rank;
      } else {
        q(i, j) = entry_value(entry_scale(view, i, g, j, q.cols()), code.signs.get(i, j));
      }
    }
    BTC_CHECK(rank == groups.salient.size(), "row ", i, " has ", rank, " salient entries of ",
              groups.salient.size());
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
