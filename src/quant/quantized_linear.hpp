#pragma once
/// One quantized Linear as values, independent of how it is stored.

#include <cstddef>
#include <cstdint>
#include <vector>

#include "common/bit_matrix.hpp"
#include "common/matrix.hpp"
#include "common/pattern.hpp"
#include "quant/row_blocks.hpp"

namespace btc {

/// W [n, m] as signs and scales. p = ceil(m / panel) panels, G groups, K salient columns.
/// All scales are fp16 values; with `int8_scales` alpha and alpha_col are what `round_to_int8`
/// leaves as it is. Decoding is the formula of `backend/panel.hpp`, then + mu_col[j].
struct QuantizedLinear {
  std::size_t rows = 0;            ///< n
  std::size_t cols = 0;            ///< m
  std::size_t panel = 0;           ///< columns that share scales; m for whole-row scales
  std::size_t groups = 1;          ///< G
  std::size_t salient_groups = 1;  ///< g
  int vector_length = 0;           ///< v, or 0: no codec, free signs
  BitMatrix signs;                 ///< [n, m] first plane
  bool masked = false;             ///< sub-vectors are those of `quant/sign_sets.hpp`
  /// [n, ceil(m / v)], or [1, N] of the sets; codeword of each sub-vector; empty without codec
  Matrix<std::uint32_t> index;
  Matrix<std::uint8_t> group;  ///< [n, m] 0..G-1, `salient_code` in salient columns; empty if G = 1
  std::vector<std::uint32_t> salient_columns;  ///< ascending, K of them
  BitMatrix residual;                          ///< [n, K] second plane
  Matrix<float> alpha;                         ///< [n, p*G], or [n, p] with `group_ratio`
  /// [G], first 1: the scale of a group is alpha[i, b] * group_ratio[g]; empty: each has its own
  std::vector<float> group_ratio;
  bool int8_scales = false;
  Matrix<float> mu;             ///< [n, p*G], empty: no mean
  Matrix<float> salient_alpha;  ///< [n, p*2g], empty if K = 0
  Matrix<float> salient_mu;     ///< [n, p*g], empty: no mean
  /// [m], or [G, m], one for each group; 1 in salient columns; empty: no column scale
  std::vector<float> alpha_col;
  std::vector<float> salient_alpha_col;  ///< [2g, K], of both planes of each group; empty: none
  std::vector<float> mu_col;             ///< [m], added last; empty: no column mean
  int level_bits = 0;          ///< uniform levels in place of signs, of this many bits; 0: signs
  Matrix<std::uint8_t> level;  ///< [n, m]; then `signs` is empty: w = alpha * (level - zero)
  Matrix<std::uint8_t> zero;   ///< [n, p]

  [[nodiscard]] std::size_t panels() const { return ceil_div(cols, panel); }
  /// Column of `alpha` that an entry of group g in column j has.
  [[nodiscard]] std::size_t alpha_column(std::size_t g, std::size_t j) const {
    return block_alpha_column(g, j / panel);
  }
  /// alpha[i, b, g] * alpha_col[g, j] of an entry of group g.
  [[nodiscard]] float entry_alpha(std::size_t i, std::size_t g, std::size_t j) const {
    return entry_alpha(i, g, j, j / panel);
  }
  /// The same for a reader who knows the panel b of column j.
  [[nodiscard]] float entry_alpha(std::size_t i, std::size_t g, std::size_t j,
                                  std::size_t b) const {
    const float own = row_alpha(i, g, b);
    return alpha_col.empty() ? own : own * alpha_col[(alpha_col.size() == cols ? 0 : g) * cols + j];
  }
  /// alpha[i, b, g] without the column's scale.
  [[nodiscard]] float row_alpha(std::size_t i, std::size_t g, std::size_t b) const {
    const float first = alpha(i, block_alpha_column(g, b));
    return group_ratio.empty() ? first : first * group_ratio[g];
  }
  /// Scale of a plane of the salient column of this rank.
  [[nodiscard]] float plane_alpha(std::size_t i, std::size_t plane, std::size_t rank) const;
  bool operator==(const QuantizedLinear&) const = default;

 private:
  [[nodiscard]] std::size_t block_alpha_column(std::size_t g, std::size_t b) const {
    return group_ratio.empty() ? b * groups + g : b;
  }
};

/// Salient group of an entry in a salient column.
std::size_t salient_group_of(const QuantizedLinear& linear, std::size_t i, std::size_t j);
/// level - zero of entry (i, j). @pre level_bits > 0
int signed_level(const QuantizedLinear& linear, std::size_t i, std::size_t j);

/// Dense Q [n, m], fp32.
Matrix<float> dequantize(const QuantizedLinear& linear, const RowBlocks& rows = {});
/// Rows [begin, end) of it into `q` [n, m].
void dequantize_rows(const QuantizedLinear& linear, std::size_t begin, std::size_t end,
                     MatrixView<float> q);

/// Distinct patterns of the first plane and their counts; the last sub-vector of a row is padded
/// with +1. @pre 4 <= v <= 24
PatternHistogram pattern_histogram(const BitMatrix& signs, int vector_length);

/// Distinct ones among `patterns` and how often each occurs.
PatternHistogram count_patterns(std::vector<Pattern> patterns, int vector_length);

/// `pattern_histogram` of each `panel` columns, from left to right. @pre v divides `panel`
std::vector<PatternHistogram> panel_histograms(const BitMatrix& signs, int vector_length,
                                               std::size_t panel);

/// Sum of histograms of equal vector length; empty input gives an empty histogram.
PatternHistogram merge_histograms(const std::vector<PatternHistogram>& histograms);

}  // namespace btc
