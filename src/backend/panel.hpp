#pragma once
/// What is known about one panel: 128 (by default) consecutive input columns of a Linear.
///
/// A panel of W is [n, k]. Every entry belongs to one group (scale and mean per row and group), or
/// to a salient column (two sign planes, its own scales). Decoding an entry, in fp32 and this
/// order:
///   group g:   w = (alpha[i,g] * alpha_col[g,j]) * B + mu[i,g]
///   salient entry of group s:
///              w = (sa[i,s,0] * sc[s,0,r])*B + (sa[i,s,1] * sc[s,1,r])*R + salient_mu[i,s]
/// r counts the salient columns. An absent alpha_col or sc (salient_alpha_col) is 1, an absent mean
/// is 0; B and R are +1 or -1.

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "common/bit_matrix.hpp"
#include "common/matrix.hpp"

namespace btc {

/// Columns [begin, end) of a Linear.
struct Panel {
  std::size_t begin = 0;
  std::size_t end = 0;
  [[nodiscard]] std::size_t width() const { return end - begin; }
};

/// Value of `PanelGroups::group` in salient columns; those of salient group s hold this minus s.
inline constexpr std::uint8_t kSalientGroup = 255;
inline constexpr std::size_t kMaxSalientGroups = 4;

constexpr bool is_salient(std::uint8_t group) { return group > kSalientGroup - kMaxSalientGroups; }
constexpr std::size_t salient_group(std::uint8_t group) {
  return kSalientGroup - std::size_t{group};
}
constexpr std::uint8_t salient_code(std::size_t group) {
  return static_cast<std::uint8_t>(kSalientGroup - group);
}

/// Which entries of a panel share scales.
struct PanelGroups {
  std::size_t count = 1;               ///< G; group 0 holds the smallest magnitudes
  std::vector<std::uint32_t> salient;  ///< salient columns, ascending, relative to the panel
  Matrix<std::uint8_t> group;          ///< [n, k]: 0..G-1, or `salient_code` of 0..g-1
  std::size_t salient_count = 1;       ///< g; salient group 0 holds the smallest magnitudes
};

/// Borrowed `PanelScales`, of the host or of a device.
struct PanelScalesView {
  MatrixView<const float> alpha;
  MatrixView<const float> mu;
  MatrixView<const float> salient_alpha;
  std::span<const float> salient_mu;
  std::span<const float> alpha_col;
  std::span<const float> salient_alpha_col;

  /// alpha[i, g] * alpha_col[g, j]. @param width k
  [[nodiscard]] constexpr float entry_alpha(std::size_t i, std::size_t g, std::size_t j,
                                            std::size_t width) const {
    if (alpha_col.empty()) {
      return alpha(i, g);
    }
    const std::size_t row = alpha_col.size() == width ? 0 : g;
    return alpha(i, g) * alpha_col[row * width + j];
  }
  /// Scale of a plane (2 s + 0 or 1 of salient group s) in the salient column of this rank.
  [[nodiscard]] constexpr float plane_alpha(std::size_t i, std::size_t plane,
                                            std::size_t rank) const {
    if (salient_alpha_col.empty()) {
      return salient_alpha(i, plane);
    }
    const std::size_t columns = salient_alpha_col.size() / salient_alpha.cols();
    return salient_alpha(i, plane) * salient_alpha_col[plane * columns + rank];
  }
};

/// Scales of a panel. Empty matrices and vectors are absent terms.
struct PanelScales {
  Matrix<float> alpha;            ///< [n, G]
  Matrix<float> mu;               ///< [n, G]
  Matrix<float> salient_alpha;    ///< [n, 2g]
  std::vector<float> salient_mu;  ///< [n, g], row by row
  /// [k], shared by the groups, or [G, k], one for each; 1 in salient columns
  std::vector<float> alpha_col;
  std::vector<float> salient_alpha_col;  ///< [2g, K], of both planes of each salient group

  [[nodiscard]] PanelScalesView view() const {
    return {alpha.view(), mu.view(), salient_alpha.view(),
            salient_mu,   alpha_col, salient_alpha_col};
  }
  /// As in `PanelScalesView`.
  [[nodiscard]] float entry_alpha(std::size_t i, std::size_t g, std::size_t j,
                                  std::size_t width) const {
    return view().entry_alpha(i, g, j, width);
  }
};

/// Signs chosen for a panel.
struct PanelCode {
  BitMatrix signs;     ///< [n, k], first plane; the codeword's signs where there is a codec
  BitMatrix residual;  ///< [n, K], second plane of the salient columns in ascending order
  Matrix<std::uint32_t>
      index;  ///< [n, ceil(k / v)], codeword of each sub-vector; empty without codec
  Matrix<std::uint8_t> group;  ///< [n, k], the groups the decisions were taken with
  /// [n, k], the compensated weights the decisions were taken on; empty if nobody asked for them
  Matrix<float> target;
};

/// The panel's dequantized weights Q [n, k], by the formula above.
Matrix<float> dequantize_panel(const PanelScales& scales, const PanelGroups& groups,
                               const PanelCode& code);

/// Rows [begin, end) of the same into `q` [n, k].
void dequantize_rows(const PanelScales& scales, const PanelGroups& groups, const PanelCode& code,
                     std::size_t begin, std::size_t end, MatrixView<float> q);

/// Scales of a panel and the signs that they were fitted to.
struct PanelFit {
  PanelScales scales;
  PanelCode code;  ///< empty: the signs are `nearest_signs` of the scales
};

/// The signs of a fit to `x` [n, k].
PanelCode fitted_code(MatrixView<const float> x, const PanelGroups& groups, const PanelFit& fit);

/// Nearest signs for given scales, no codec: `x` [n, k] itself is the target.
/// First order: sign(x - mu), with sign(0) = +1. Second order: the nearest of the four values,
/// first on ties in the order (-,-), (-,+), (+,-), (+,+).
PanelCode nearest_signs(MatrixView<const float> x, const PanelGroups& groups,
                        const PanelScales& scales);

}  // namespace btc
