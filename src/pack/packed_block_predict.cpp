#include <algorithm>
#include <cmath>
#include <limits>

#include "pack/group_map.hpp"
#include "pack/linear_layout.hpp"
#include "pack/packed_block.hpp"
#include "pack/tensor_store.hpp"

namespace btc {
namespace {

std::uint64_t elements(const std::vector<std::int64_t>& shape) {
  std::uint64_t count = 1;
  for (const std::int64_t extent : shape) {
    count *= static_cast<std::uint64_t>(extent);
  }
  return count;
}

constexpr std::uint64_t kHalf = 2;  // bytes of an fp16 value

/// Expected bytes of a Rice-coded map whose entries are in group 1 independently with probability
/// `share`: gaps are geometric, P(gap >= g) = (1 - share)^g.
double rice_bytes(std::size_t rows, std::size_t entries, double share) {
  const bool one_stream = rice_in_one_stream(entries);
  constexpr double kPadding = 3.5;  // bits of a row, on average
  double best = std::numeric_limits<double>::infinity();
  for (std::size_t k = 0; k <= kMaxRiceParameter; ++k) {
    const double beyond = std::pow(1.0 - share, std::ldexp(1.0, static_cast<int>(k)));
    const double ones = beyond >= 1.0 ? 0.0 : beyond / (1.0 - beyond);
    best = std::min(best, ones + 1.0 + static_cast<double>(k));
  }
  const double bits = static_cast<double>(entries) * share * best;
  const double beside = one_stream ? 0.0 : kPadding + 16.0;  // of each row
  return static_cast<double>(rows) * (bits + beside) / 8.0 + 1.0;
}

std::uint64_t group_map_bytes(const LinearLayout& layout, const PackedFormat& format,
                              double upper_group_share) {
  if (format.groups == 1) {
    return 0;
  }
  const std::uint64_t plain = elements(layout.group_map_shape());
  if (!format.rice_group_map) {
    return plain;
  }
  const double rice = rice_bytes(layout.rows, layout.cols - layout.salient, upper_group_share);
  return std::min(plain, static_cast<std::uint64_t>(std::llround(rice)));
}

/// The stream of indices; of sets it is known up to their padding, half a sub-vector on average.
IndexStream expected_indices(const LinearLayout& layout) {
  IndexStream stream = layout.indices;
  if (stream.per_row == 0) {
    const std::size_t signs = layout.rows * (layout.cols + layout.salient);
    stream.per_row = ceil_div(signs, layout.vector_length) + layout.panels * layout.sets.sets() / 2;
  }
  return stream;
}

/// Codebooks that a Linear stores for itself: as many codewords at most as there are sub-vectors.
/// Of the sets of a panel, groups are taken to be of equal size.
std::uint64_t own_codebook_bytes(const LinearLayout& layout, const PackedFormat& format) {
  const auto bytes_of = [&](std::size_t codewords) {
    return codebook_bytes(codewords, format.vector_length) + sizeof(std::int64_t);
  };
  if (format.scope == CodebookScope::kLinear) {
    const std::size_t sub_vectors = layout.rows * ceil_div(layout.cols, layout.vector_length);
    return bytes_of(std::min(format.codebook_size, sub_vectors));
  }
  std::uint64_t bytes = 0;
  for (std::size_t k = 0; format.scope == CodebookScope::kBlockGroup && k < layout.panels; ++k) {
    const std::size_t width = std::min(layout.panel, layout.cols - k * layout.panel);
    const std::size_t sub_vectors = layout.rows * ceil_div(width, layout.vector_length);
    const std::size_t parts = layout.codebooks / layout.panels;
    const std::size_t part = ceil_div(sub_vectors, parts);
    bytes += parts * bytes_of(std::min(format.codebook_size, part));
  }
  return bytes;
}

}  // namespace

std::vector<LedgerLine> predict_linear_ledger(std::size_t rows, std::size_t cols,
                                              const PackedFormat& format,
                                              std::size_t expected_salient,
                                              double upper_group_share) {
  check_format(format, "format");
  BTC_CHECK(expected_salient <= cols, expected_salient, " salient columns of ", cols);
  const LinearLayout layout(rows, cols, expected_salient, format);
  std::vector<LedgerLine> lines;
  const auto add = [&](const char* category, std::uint64_t bytes) {
    if (bytes > 0) {
      lines.push_back({"", "", category, bytes});
    }
  };
  const bool codec = format.vector_length > 0;
  if (format.level_bits > 0) {
    add("signs", elements(layout.level_shape(cols)));
    add("scales", elements(layout.level_shape(layout.panels)));
  } else {
    add("signs", elements(codec ? index_shape(expected_indices(layout)) : layout.sign_shape()));
  }
  if (stores_codebook(format)) {
    add("codebook", own_codebook_bytes(layout, format));
  }
  std::uint64_t halves =
      elements(layout.scale_shape()) * (format.mean ? 2 : 1) + elements(layout.group_ratio_shape());
  if (layout.salient > 0) {
    add("residual", format.masked ? 0 : elements(layout.residual_shape()));
    halves += elements(layout.salient_alpha_shape()) +
              (format.mean ? elements(layout.salient_mu_shape()) : 0);
    add("salient_map", ceil_div(cols, 8));
  }
  const std::uint64_t short_rows = format.int8_scales ? elements(layout.scale_shape()) : 0;
  add("scales", kHalf * halves - short_rows);
  const std::uint64_t columns = layout.column_scales * (cols - layout.salient);
  add("column_scales",
      kHalf * (columns +
               (format.group_column_scale ? 2 * format.salient_groups * layout.salient : 0)) -
          (format.int8_scales ? columns : 0));
  add("column_scales", format.column_mean ? kHalf * cols : 0);
  add("group_map", group_map_bytes(layout, format, upper_group_share));
  add("shape", 2 * sizeof(std::int64_t));
  return totals_by_category(lines);
}

}  // namespace btc
