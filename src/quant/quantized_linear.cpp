#include "quant/quantized_linear.hpp"

#include <algorithm>

#include "backend/decode_row.hpp"
#include "backend/entry.hpp"
#include "common/allocation.hpp"

namespace btc {
namespace {

void dequantize_levels(const QuantizedLinear& linear, std::size_t i, std::span<float> q) {
  for (std::size_t j = 0; j < linear.cols; ++j) {
    const std::size_t b = j / linear.panel;
    q[j] = linear.alpha(i, b) * static_cast<float>(signed_level(linear, i, j));
  }
}

/// Values of row i in panel b, without the scales of columns.
void set_values(const QuantizedLinear& linear, std::size_t i, std::size_t b, RowValues& values) {
  for (std::size_t g = 0; g < linear.groups; ++g) {
    values.set(g, {linear.row_alpha(i, g, b),
                   linear.mu.empty() ? 0.0F : linear.mu(i, b * linear.groups + g)});
  }
}

/// Entries of row i in columns [begin, end), outside the salient columns.
/// @param one_group [m] zeros: the groups of a Linear that has only one
RowEntries entries_of_row(const QuantizedLinear& linear, std::size_t i, std::size_t begin,
                          std::size_t end, std::span<const std::uint8_t> one_group) {
  RowEntries entries;
  entries.first = begin;
  entries.signs = linear.signs.row(i);
  entries.group =
      (linear.group.empty() ? one_group : linear.group.row(i)).subspan(begin, end - begin);
  if (!linear.alpha_col.empty()) {
    entries.column_scale = std::span(linear.alpha_col).subspan(begin);
    entries.column_scale_stride = linear.alpha_col.size() == linear.cols ? 0 : linear.cols;
  }
  return entries;
}

/// Row i of the salient columns of panel b into `q` [m].
/// @param rank of the first of them; moved behind the panel
void dequantize_salient(const QuantizedLinear& linear, std::size_t i, std::size_t b,
                        std::size_t& rank, std::span<float> q) {
  const std::size_t end = std::min((b + 1) * linear.panel, linear.cols);
  for (; rank < linear.salient_columns.size() && linear.salient_columns[rank] < end; ++rank) {
    const std::size_t j = linear.salient_columns[rank];
    const std::size_t s = salient_group_of(linear, i, j);
    const SalientScale scale{
        linear.plane_alpha(i, 2 * s, rank), linear.plane_alpha(i, 2 * s + 1, rank),
        linear.salient_mu.empty() ? 0.0F : linear.salient_mu(i, b * linear.salient_groups + s)};
    q[j] = salient_value(scale, linear.signs.get(i, j), linear.residual.get(i, rank));
  }
}

/// Adds the column means outside the salient columns.
void add_column_means(const QuantizedLinear& linear, std::span<float> q) {
  std::size_t rank = 0;
  for (std::size_t j = 0; j < linear.mu_col.size(); ++j) {
    if (rank < linear.salient_columns.size() && linear.salient_columns[rank] == j) {
      ++rank;
    } else {
      q[j] += linear.mu_col[j];
    }
  }
}

/// Row i of `linear` into `q`.
void dequantize_row(const QuantizedLinear& linear, std::size_t i,
                    std::span<const std::uint8_t> one_group, RowValues& values,
                    std::span<float> q) {
  std::size_t rank = 0;
  for (std::size_t b = 0; b < linear.panels(); ++b) {
    const std::size_t begin = b * linear.panel;
    const std::size_t end = std::min(begin + linear.panel, linear.cols);
    set_values(linear, i, b, values);
    decode_entries(values, entries_of_row(linear, i, begin, end, one_group),
                   q.subspan(begin, end - begin));
    dequantize_salient(linear, i, b, rank, q);
  }
  add_column_means(linear, q);
}

}  // namespace

std::size_t salient_group_of(const QuantizedLinear& linear, std::size_t i, std::size_t j) {
  return linear.salient_groups == 1 ? 0 : salient_group(linear.group(i, j));
}

float QuantizedLinear::plane_alpha(std::size_t i, std::size_t plane, std::size_t rank) const {
  const std::size_t planes = 2 * salient_groups;
  const float own = salient_alpha(i, planes * (salient_columns[rank] / panel) + plane);
  return salient_alpha_col.empty() ? own
                                   : own * salient_alpha_col[plane * salient_columns.size() + rank];
}

int signed_level(const QuantizedLinear& linear, std::size_t i, std::size_t j) {
  return static_cast<int>(linear.level(i, j)) - static_cast<int>(linear.zero(i, j / linear.panel));
}

void dequantize_rows(const QuantizedLinear& linear, std::size_t begin, std::size_t end,
                     MatrixView<float> q) {
  const std::vector<std::uint8_t> one_group(linear.group.empty() ? linear.cols : 0, 0);
  RowValues values;
  for (std::size_t i = begin; i < end; ++i) {
    if (linear.level_bits > 0) {
      dequantize_levels(linear, i, q.row(i));
    } else {
      dequantize_row(linear, i, one_group, values, q.row(i));
    }
  }
}

Matrix<float> dequantize(const QuantizedLinear& linear, const RowBlocks& rows) {
  auto q = zeros_in_large_pages<float>(linear.rows, linear.cols);
  rows(q.rows(),
       [&](std::size_t begin, std::size_t end) { dequantize_rows(linear, begin, end, q.view()); });
  return q;
}

PatternHistogram count_patterns(std::vector<Pattern> patterns, int vector_length) {
  std::sort(patterns.begin(), patterns.end());
  PatternHistogram result;
  result.vector_length = vector_length;
  for (std::size_t p = 0; p < patterns.size(); ++p) {
    if (p == 0 || patterns[p] != patterns[p - 1]) {
      result.patterns.push_back(patterns[p]);
      result.counts.push_back(0);
    }
    ++result.counts.back();
  }
  return result;
}

PatternHistogram pattern_histogram(const BitMatrix& signs, int vector_length) {
  BTC_CHECK(vector_length >= kMinVectorLength && vector_length <= kMaxVectorLength,
            "vector length ", vector_length);
  std::vector<std::uint32_t> table(std::size_t{1} << static_cast<unsigned>(vector_length), 0);
  const auto v = static_cast<std::size_t>(vector_length);
  for (std::size_t i = 0; i < signs.rows(); ++i) {
    for (std::size_t j = 0; j < signs.cols(); j += v) {
      ++table[signs.pattern(i, j, vector_length)];
    }
  }
  PatternHistogram result;
  result.vector_length = vector_length;
  for (std::size_t p = 0; p < table.size(); ++p) {
    if (table[p] != 0) {
      result.patterns.push_back(static_cast<Pattern>(p));
      result.counts.push_back(table[p]);
    }
  }
  return result;
}

std::vector<PatternHistogram> panel_histograms(const BitMatrix& signs, int vector_length,
                                               std::size_t panel) {
  const auto v = static_cast<std::size_t>(vector_length);
  BTC_CHECK(panel > 0 && panel % v == 0, "panel of ", panel, " columns, vector length ", v);
  std::vector<PatternHistogram> histograms;
  for (std::size_t begin = 0; begin < signs.cols(); begin += panel) {
    std::vector<Pattern> patterns;
    const std::size_t end = std::min(begin + panel, signs.cols());
    for (std::size_t i = 0; i < signs.rows(); ++i) {
      for (std::size_t j = begin; j < end; j += v) {
        patterns.push_back(signs.pattern(i, j, vector_length));
      }
    }
    histograms.push_back(count_patterns(std::move(patterns), vector_length));
  }
  return histograms;
}

PatternHistogram merge_histograms(const std::vector<PatternHistogram>& histograms) {
  PatternHistogram result;
  for (const PatternHistogram& next : histograms) {
    BTC_CHECK(result.vector_length == 0 || next.vector_length == result.vector_length,
              "histograms of length ", result.vector_length, " and ", next.vector_length);
    PatternHistogram sum;
    sum.vector_length = next.vector_length;
    std::size_t a = 0;
    std::size_t b = 0;
    while (a < result.patterns.size() || b < next.patterns.size()) {
      const bool take_a = b == next.patterns.size() ||
                          (a < result.patterns.size() && result.patterns[a] <= next.patterns[b]);
      const bool take_b = a == result.patterns.size() ||
                          (b < next.patterns.size() && next.patterns[b] <= result.patterns[a]);
      sum.patterns.push_back(take_a ? result.patterns[a] : next.patterns[b]);
      sum.counts.push_back((take_a ? result.counts[a++] : 0) + (take_b ? next.counts[b++] : 0));
    }
    result = std::move(sum);
  }
  return result;
}

}  // namespace btc
