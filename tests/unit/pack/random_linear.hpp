#pragma once
/// Random QuantizedLinears of any format.

#include <cstdint>
#include <vector>

#include "backend/panel.hpp"
#include "common/half.hpp"
#include "common/int8_scales.hpp"
#include "common/rng.hpp"
#include "pack/packed_block.hpp"
#include "quant/sign_sets.hpp"

namespace btc::test {

inline std::vector<Pattern> random_codewords(std::size_t count, int vector_length, Rng& rng) {
  std::vector<Pattern> codewords(count);
  for (Pattern& codeword : codewords) {
    codeword = static_cast<Pattern>(rng.below(std::uint64_t{1} << vector_length));
  }
  return codewords;
}

inline void fill_halves(std::vector<float>& values, Rng& rng) {
  for (float& value : values) {
    value = round_to_fp16(static_cast<float>(rng.normal()));
  }
}

/// What is random about a Linear besides its format.
struct RandomShape {
  std::size_t rows = 0;
  std::size_t cols = 0;
  std::vector<std::uint32_t> salient;
  double upper_share = 0.5;  ///< of the entries outside group 0
};

inline BitMatrix random_bits(std::size_t rows, std::size_t cols, Rng& rng) {
  BitMatrix bits(rows, cols);
  for (std::size_t i = 0; i < rows; ++i) {
    for (std::size_t j = 0; j < cols; ++j) {
      bits.set(i, j, rng.below(2) == 1);
    }
  }
  return bits;
}

inline Matrix<float> random_halves(std::size_t rows, std::size_t cols, Rng& rng) {
  Matrix<float> matrix(rows, cols);
  fill_halves(matrix.values(), rng);
  return matrix;
}

/// Index and signs from codewords (of all sub-vectors, or of each panel), or free signs without.
inline void fill_signs(QuantizedLinear& linear, const std::vector<std::vector<Pattern>>& codewords,
                       Rng& rng) {
  linear.signs = random_bits(linear.rows, linear.cols, rng);
  if (linear.vector_length == 0) {
    return;
  }
  const auto v = static_cast<std::size_t>(linear.vector_length);
  linear.index = Matrix<std::uint32_t>(linear.rows, ceil_div(linear.cols, v));
  for (std::size_t i = 0; i < linear.rows; ++i) {
    for (std::size_t s = 0; s < linear.index.cols(); ++s) {
      const auto& words = codewords[codewords.size() == 1 ? 0 : s * v / linear.panel];
      linear.index(i, s) = static_cast<std::uint32_t>(rng.below(words.size()));
      linear.signs.set_pattern(i, s * v, linear.vector_length, words[linear.index(i, s)]);
    }
  }
}

/// Both planes from codewords (of all sets, or of each set) for a Linear whose groups are known.
inline void fill_sets(QuantizedLinear& linear, const SignGroups& groups,
                      const std::vector<std::vector<Pattern>>& codewords, Rng& rng) {
  linear.masked = true;
  linear.index = Matrix<std::uint32_t>(1, vector_count(linear, groups, linear.vector_length));
  const auto word = [&](std::size_t panel, std::size_t set, std::size_t k) {
    const auto& words = codewords[codewords.size() == 1 ? 0 : panel * groups.sets() + set];
    linear.index(0, k) = static_cast<std::uint32_t>(rng.below(words.size()));
    return words[linear.index(0, k)];
  };
  btc::fill_signs(groups, word, linear.vector_length, linear);
}

inline void fill_groups(QuantizedLinear& linear, double upper_share, Rng& rng) {
  linear.group = Matrix<std::uint8_t>(linear.rows, linear.cols);
  for (std::size_t i = 0; i < linear.rows; ++i) {
    for (std::uint8_t& group : linear.group.row(i)) {
      const bool upper = rng.uniform() < upper_share;
      group = static_cast<std::uint8_t>(upper ? 1 + rng.below(linear.groups - 1) : 0);
    }
    for (const std::uint32_t column : linear.salient_columns) {
      linear.group(i, column) = salient_code(rng.below(linear.salient_groups));
    }
  }
}

inline Matrix<std::uint8_t> random_levels(std::size_t rows, std::size_t cols, int bits, Rng& rng) {
  Matrix<std::uint8_t> levels(rows, cols);
  for (std::uint8_t& level : levels.values()) {
    level = static_cast<std::uint8_t>(rng.below(std::uint64_t{1} << bits));
  }
  return levels;
}

inline QuantizedLinear random_linear(const RandomShape& shape, const PackedFormat& format,
                                     const std::vector<std::vector<Pattern>>& codewords, Rng& rng) {
  QuantizedLinear linear;
  linear.rows = shape.rows;
  linear.cols = shape.cols;
  linear.panel = panel_columns(format, shape.cols);
  linear.groups = format.groups;
  linear.salient_groups = format.salient_groups;
  linear.vector_length = format.vector_length;
  linear.salient_columns = shape.salient;
  linear.level_bits = format.level_bits;
  if (format.level_bits > 0) {
    linear.level = random_levels(shape.rows, shape.cols, format.level_bits, rng);
    linear.zero = random_levels(shape.rows, linear.panels(), format.level_bits, rng);
  } else if (!format.masked) {
    fill_signs(linear, codewords, rng);
  }
  const std::size_t salient = shape.salient.size();
  linear.residual = random_bits(shape.rows, salient, rng);
  const std::size_t panels = linear.panels();
  linear.alpha = random_halves(shape.rows, panels * (format.group_ratio ? 1 : format.groups), rng);
  if (format.group_ratio) {
    linear.group_ratio.resize(format.groups);
    fill_halves(linear.group_ratio, rng);
    linear.group_ratio[0] = 1.0F;
  }
  if (format.mean) {
    linear.mu = random_halves(shape.rows, panels * format.groups, rng);
  }
  if (salient > 0) {
    linear.salient_alpha = random_halves(shape.rows, panels * 2 * format.salient_groups, rng);
    if (format.mean) {
      linear.salient_mu = random_halves(shape.rows, panels * format.salient_groups, rng);
    }
  }
  if (format.column_scale) {
    const std::size_t rows = format.group_column_scale ? format.groups : 1;
    linear.alpha_col.resize(rows * shape.cols);
    fill_halves(linear.alpha_col, rng);
    for (std::size_t row = 0; row < rows; ++row) {
      for (const std::uint32_t column : shape.salient) {
        linear.alpha_col[row * shape.cols + column] = 1.0F;
      }
    }
  }
  linear.int8_scales = format.int8_scales;
  if (format.int8_scales) {
    round_to_int8(linear.alpha.values());
    round_to_int8(linear.alpha_col);
  }
  if (format.group_column_scale) {
    linear.salient_alpha_col.resize(2 * format.salient_groups * salient);
    fill_halves(linear.salient_alpha_col, rng);
  }
  if (format.column_mean) {
    linear.mu_col.resize(shape.cols);
    fill_halves(linear.mu_col, rng);
  }
  if (format.groups > 1) {
    fill_groups(linear, shape.upper_share, rng);
  }
  if (format.masked) {
    fill_sets(linear, {format.groups, format.salient_groups, format.salient}, codewords, rng);
  }
  return linear;
}

}  // namespace btc::test
