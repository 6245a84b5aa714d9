#include "backend/panel.hpp"

#include "backend/entry.hpp"

namespace btc {
namespace {

EntryScale entry_scale(const PanelScales& scales, std::size_t i, std::size_t g, std::size_t j) {
  const float alpha = scales.alpha(i, g);
  return {scales.alpha_col.empty() ? alpha : alpha * scales.alpha_col[j],
          scales.mu.empty() ? 0.0F : scales.mu(i, g)};
}

}  // namespace

SalientScale salient_scale(const PanelScales& scales, std::size_t i, std::size_t s) {
  const std::size_t count = scales.salient_alpha.cols() / 2;
  return {scales.salient_alpha(i, 2 * s), scales.salient_alpha(i, 2 * s + 1),
          scales.salient_mu.empty() ? 0.0F : scales.salient_mu[i * count + s]};
}

Matrix<float> dequantize_panel(const PanelScales& scales, const PanelGroups& groups,
                               const PanelCode& code) {
  const std::size_t rows = code.signs.rows();
  const std::size_t cols = code.signs.cols();
  Matrix<float> q(rows, cols);
  for (std::size_t i = 0; i < rows; ++i) {
    std::size_t rank = 0;
    for (std::size_t j = 0; j < cols; ++j) {
      const std::uint8_t g = code.group(i, j);
      if (is_salient(g)) {
        q(i, j) = salient_value(salient_scale(scales, i, salient_group(g)), code.signs.get(i, j),
                                code.residual.get(i, rank++));
      } else {
        q(i, j) = entry_value(entry_scale(scales, i, g, j), code.signs.get(i, j));
      }
    }
    BTC_CHECK(rank == groups.salient.size(), "row ", i, " has ", rank, " salient entries of ",
              groups.salient.size());
  }
  return q;
}

PanelCode nearest_signs(MatrixView<const float> x, const PanelGroups& groups,
                        const PanelScales& scales) {
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
      if (!is_salient(groups.group(i, j))) {
        code.signs.set(i, j, entry_sign(w, entry_scale(scales, i, groups.group(i, j), j)));
        continue;
      }
      const SalientScale scale = salient_scale(scales, i, salient_group(groups.group(i, j)));
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
