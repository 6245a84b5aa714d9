#include "quant/panel_result.hpp"

#include <algorithm>
#include <cmath>
#include <utility>

#include "common/allocation.hpp"
#include "common/half.hpp"

namespace btc {
namespace {

void round_row(Panel panel, std::size_t row, const char* name, std::span<float> values) {
  for (float& value : values) {
    BTC_REQUIRE(NumericError, std::isfinite(value), "panel at column ", panel.begin, ": ", name,
                " of row ", row, " is ", value);
    value = round_to_fp16(value);
  }
}

void round_matrix(Panel panel, const char* name, Matrix<float>& values) {
  for (std::size_t i = 0; i < values.rows(); ++i) {
    round_row(panel, i, name, values.row(i));
  }
}

/// Columns of `from` become those of `to` from column `at` on.
template <typename T>
void copy_columns(const Matrix<T>& from, std::size_t at, Matrix<T>& to) {
  for (std::size_t i = 0; i < from.rows(); ++i) {
    std::copy_n(from.row(i).begin(), from.cols(),
                to.row(i).begin() + static_cast<std::ptrdiff_t>(at));
  }
}

void copy_bits(const BitMatrix& from, std::size_t at, BitMatrix& to) {
  const std::size_t whole = at % 8 == 0 ? from.cols() / 8 * 8 : 0;  // columns in bytes of their own
  for (std::size_t i = 0; i < from.rows(); ++i) {
    std::copy_n(from.bytes().begin() + static_cast<std::ptrdiff_t>(i * from.row_bytes()), whole / 8,
                to.bytes().begin() + static_cast<std::ptrdiff_t>(i * to.row_bytes() + at / 8));
    for (std::size_t j = whole; j < from.cols(); ++j) {
      to.set(i, at + j, from.get(i, j));
    }
  }
}

/// Allocates the scales that occur, for `blocks` blocks of scales.
void allocate_scales(const std::vector<PanelResult>& panels, std::size_t blocks,
                     QuantizedLinear& linear) {
  const std::size_t groups = linear.groups;
  linear.alpha = Matrix<float>(linear.rows, blocks * groups);
  if (!panels.front().scales.mu.empty()) {
    linear.mu = Matrix<float>(linear.rows, blocks * groups);
  }
  if (!panels.front().scales.alpha_col.empty()) {
    const PanelResult& first = panels.front();
    const std::size_t rows = first.scales.alpha_col.size() / first.panel.width();
    linear.alpha_col.resize(rows * linear.cols);
  }
  if (linear.salient_columns.empty()) {
    return;
  }
  const std::size_t planes = 2 * linear.salient_groups;
  linear.salient_alpha = Matrix<float>(linear.rows, planes * blocks);
  const bool column = std::any_of(panels.begin(), panels.end(), [](const PanelResult& p) {
    return !p.scales.salient_alpha_col.empty();
  });
  linear.salient_alpha_col.resize(column ? planes * linear.salient_columns.size() : 0);
  const bool mean = std::any_of(panels.begin(), panels.end(),
                                [](const PanelResult& p) { return !p.scales.salient_mu.empty(); });
  if (mean) {
    linear.salient_mu = Matrix<float>(linear.rows, blocks * linear.salient_groups);
  }
}

/// Rows of `from`, [rows, width], into those of `to` from column `at` on.
void copy_column_scales(const std::vector<float>& from, std::size_t width, std::size_t at,
                        std::size_t cols, std::vector<float>& to) {
  for (std::size_t row = 0; width > 0 && row < from.size() / width; ++row) {
    std::copy_n(from.begin() + static_cast<std::ptrdiff_t>(row * width), width,
                to.begin() + static_cast<std::ptrdiff_t>(row * cols + at));
  }
}

void copy_scales(const PanelScales& scales, std::size_t block, QuantizedLinear& linear) {
  copy_columns(scales.alpha, block * linear.groups, linear.alpha);
  if (!scales.mu.empty()) {
    copy_columns(scales.mu, block * linear.groups, linear.mu);
  }
  if (!scales.salient_alpha.empty() && !linear.salient_alpha.empty()) {
    copy_columns(scales.salient_alpha, block * 2 * linear.salient_groups, linear.salient_alpha);
  }
  for (std::size_t e = 0; e < scales.salient_mu.size(); ++e) {
    const std::size_t g = linear.salient_groups;
    linear.salient_mu(e / g, block * g + e % g) = scales.salient_mu[e];
  }
}

/// Indices of the sets of all panels, one behind the other.
Matrix<std::uint32_t> set_indices(const std::vector<PanelResult>& panels) {
  std::vector<std::uint32_t> all;
  for (const PanelResult& p : panels) {
    all.insert(all.end(), p.set_index.begin(), p.set_index.end());
  }
  Matrix<std::uint32_t> index(1, all.size());
  index.values() = std::move(all);
  return index;
}

}  // namespace

void round_scales(Panel panel, PanelScales& scales) {
  round_matrix(panel, "alpha", scales.alpha);
  round_matrix(panel, "mu", scales.mu);
  round_matrix(panel, "salient alpha", scales.salient_alpha);
  round_row(panel, 0, "salient mu", scales.salient_mu);
  round_row(panel, 0, "alpha_col", scales.alpha_col);
  round_row(panel, 0, "salient alpha_col", scales.salient_alpha_col);
}

QuantizedLinear assemble(const std::vector<PanelResult>& panels, std::size_t rows, std::size_t cols,
                         int vector_length, bool whole_row) {
  QuantizedLinear linear;
  linear.rows = rows;
  linear.cols = cols;
  linear.panel = whole_row ? cols : panels.front().panel.width();
  linear.groups = panels.front().groups.count;
  linear.salient_groups = panels.front().groups.salient_count;
  linear.vector_length = vector_length;
  for (const PanelResult& p : panels) {
    for (const std::uint32_t j : p.groups.salient) {
      linear.salient_columns.push_back(narrow<std::uint32_t>(p.panel.begin + j));
    }
  }
  linear.signs = BitMatrix(rows, cols);
  linear.residual = BitMatrix(rows, linear.salient_columns.size());
  linear.masked = std::any_of(panels.begin(), panels.end(),
                              [](const PanelResult& p) { return !p.set_index.empty(); });
  if (linear.masked) {
    linear.index = set_indices(panels);
  } else if (vector_length > 0) {
    linear.index =
        Matrix<std::uint32_t>(rows, ceil_div(cols, static_cast<std::size_t>(vector_length)));
  }
  if (linear.groups > 1) {
    linear.group = zeros_in_large_pages<std::uint8_t>(rows, cols);
  }
  allocate_scales(panels, whole_row ? 1 : panels.size(), linear);
  std::size_t salient = 0;
  for (std::size_t b = 0; b < panels.size(); ++b) {
    const PanelResult& p = panels[b];
    copy_bits(p.code.signs, p.panel.begin, linear.signs);
    copy_bits(p.code.residual, salient, linear.residual);
    copy_column_scales(p.scales.alpha_col, p.panel.width(), p.panel.begin, cols, linear.alpha_col);
    copy_column_scales(p.scales.salient_alpha_col, p.groups.salient.size(), salient,
                       linear.salient_columns.size(), linear.salient_alpha_col);
    salient += p.groups.salient.size();
    if (vector_length > 0 && !linear.masked) {
      copy_columns(p.code.index, p.panel.begin / static_cast<std::size_t>(vector_length),
                   linear.index);
    }
    if (linear.groups > 1) {
      copy_columns(p.code.group, p.panel.begin, linear.group);
    }
    if (b == 0 || !whole_row) {
      copy_scales(p.scales, b, linear);
    }
  }
  return linear;
}

Matrix<float> assemble_targets(const std::vector<PanelResult>& panels, std::size_t rows,
                               std::size_t cols) {
  Matrix<float> targets(rows, cols);
  for (const PanelResult& p : panels) {
    copy_columns(p.code.target, p.panel.begin, targets);
  }
  return targets;
}

}  // namespace btc
