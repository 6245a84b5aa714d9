#include "pack/linear_layout.hpp"

#include <algorithm>
#include <cmath>

#include "common/linear_code.hpp"
#include "pack/group_map.hpp"

namespace btc {
namespace {

std::int64_t extent(std::size_t value) { return narrow<std::int64_t>(value); }

constexpr std::size_t kMaxGroups = 4;
constexpr std::size_t kMaxCodebook = std::size_t{1} << 20U;
constexpr std::size_t kMaxPanel = std::size_t{1} << 24U;

}  // namespace

LinearLayout::LinearLayout(std::size_t n, std::size_t m, std::size_t k, const PackedFormat& format)
    : rows(n),
      cols(m),
      salient(k),
      panel(panel_columns(format, m)),
      panels(ceil_div(m, panel)),
      groups(format.groups),
      row_groups(format.group_ratio ? 1 : format.groups),
      salient_groups(format.salient_groups),
      column_scales(!format.column_scale        ? 0
                    : format.group_column_scale ? format.groups
                                                : 1),
      int8_scales(format.int8_scales),
      level_bits(static_cast<std::size_t>(format.level_bits)),
      sub_vectors(format.vector_length == 0 || format.masked
                      ? 0
                      : ceil_div(m, narrow<std::size_t>(format.vector_length))),
      vector_length(narrow<std::size_t>(format.vector_length)),
      sets{format.groups, format.salient_groups, format.salient},
      codebooks(format.vector_length == 0 || format.scope != CodebookScope::kBlockGroup ? 1
                : format.masked ? panels * sets.sets()
                                : panels),
      indices{format.masked ? 1 : n, sub_vectors, format.codebook_size, format.index_coding} {}

std::vector<std::int64_t> LinearLayout::sign_shape() const {
  return {extent(rows), extent(ceil_div(cols, 8))};
}
std::vector<std::int64_t> LinearLayout::level_shape(std::size_t count) const {
  return {extent(rows), extent(ceil_div(count * level_bits, 8))};
}
std::vector<std::int64_t> LinearLayout::scale_shape() const {
  return {extent(rows), extent(panels), extent(row_groups)};
}
std::vector<std::int64_t> LinearLayout::group_ratio_shape() const {
  return {extent(groups - row_groups + (int8_scales ? 2 : 0))};
}
std::vector<std::int64_t> LinearLayout::salient_alpha_shape() const {
  return {extent(rows), extent(panels), extent(salient_groups), 2};
}
std::vector<std::int64_t> LinearLayout::salient_mu_shape() const {
  return {extent(rows), extent(panels), extent(salient_groups)};
}
std::vector<std::int64_t> LinearLayout::alpha_col_shape() const {
  return {extent(column_scales), extent(cols - salient)};
}
std::vector<std::int64_t> LinearLayout::salient_alpha_col_shape() const {
  return {extent(2 * salient_groups), extent(salient)};
}
std::vector<std::int64_t> LinearLayout::residual_shape() const {
  return {extent(rows), extent(ceil_div(salient, 8))};
}
std::vector<std::int64_t> LinearLayout::group_map_shape() const {
  return {extent(rows), extent(group_map_row_bytes(map_entries(), groups))};
}

std::vector<std::uint32_t> kept_columns(const std::vector<std::uint32_t>& salient,
                                        std::size_t cols) {
  std::vector<std::uint32_t> kept;
  kept.reserve(cols - salient.size());
  auto next = salient.begin();
  for (std::uint32_t column = 0; column < cols; ++column) {
    if (next != salient.end() && *next == column) {
      ++next;
    } else {
      kept.push_back(column);
    }
  }
  return kept;
}

std::string block_codebook_prefix(int block) { return concat("model.layers.", block, ".btc"); }

std::string transform_prefix(int block, SharedInput input) {
  return concat(block_codebook_prefix(block), ".", name_of(input));
}

std::map<std::string, std::string> packed_metadata(const std::string& block,
                                                   const std::string& fingerprint) {
  return {{"format", std::string(kPackedFormatName)},
          {"version", std::string(kPackedVersion)},
          {"block", block},
          {"fingerprint", fingerprint}};
}

bool stores_codebook(const PackedFormat& format) {
  return format.vector_length > 0 && format.codec == Codec::kLearned;
}

void check_format(const PackedFormat& format, std::string_view origin) {
  const int v = format.vector_length;
  BTC_REQUIRE(FormatError, v == 0 || (v >= kMinVectorLength && v <= kMaxVectorLength), origin,
              ": vector_length ", v, ", expected ", kMinVectorLength, "..", kMaxVectorLength);
  const std::size_t limit = v == 0 ? 0 : std::min(kMaxCodebook, std::size_t{1} << v);
  BTC_REQUIRE(FormatError, format.codebook_size <= limit && (v == 0) == (format.codebook_size == 0),
              origin, ": codebook_size ", format.codebook_size, ", expected 1..", limit);
  BTC_REQUIRE(FormatError,
              format.level_bits == 0 || (format.level_bits >= 2 && format.level_bits <= 8), origin,
              ": level_bits ", format.level_bits, ", expected 2..8");
  const bool plain = format.groups == 1 && !format.salient && !format.mean;
  BTC_REQUIRE(FormatError, format.level_bits == 0 || (plain && v == 0 && !format.column_scale),
              origin, ": uniform levels with groups, salient columns, means or column scales");
  BTC_REQUIRE(FormatError, !format.column_mean || (plain && format.column_scale), origin,
              ": column means with groups, salient columns or means, or without column scales");
  const bool linear_code = v == kLinearCodeLength && format.scope == CodebookScope::kModel &&
                           format.codebook_size == std::size_t{1} << kLinearCodeFree;
  BTC_REQUIRE(FormatError, format.codec == Codec::kLearned || linear_code, origin,
              ": codec linear_20_16 with vector_length ", v, " and codebook_size ",
              format.codebook_size, ", expected ", kLinearCodeLength, " and 65536");
  BTC_REQUIRE(FormatError, format.groups >= 1 && format.groups <= kMaxGroups, origin, ": ",
              format.groups, " groups, expected 1..", kMaxGroups);
  BTC_REQUIRE(FormatError, format.panel <= kMaxPanel, origin, ": panel ", format.panel,
              ", expected at most ", kMaxPanel);
  BTC_REQUIRE(
      FormatError,
      format.salient_groups == 1 ||
          (format.salient && format.salient_groups == format.groups && !format.rice_group_map),
      origin, ": ", format.salient_groups, " salient groups, expected 1, or ", format.groups,
      " where there are salient columns and a dense map");
  BTC_REQUIRE(FormatError, !format.masked || (stores_codebook(format) && format.panel > 0), origin,
              ": layout masked, expected dense without a codebook or panels");
  const bool whole_panels = v > 0 && format.panel > 0 &&
                            (format.masked || format.panel % static_cast<std::size_t>(v) == 0);
  BTC_REQUIRE(FormatError, format.scope != CodebookScope::kBlockGroup || whole_panels, origin,
              ": codebooks of each panel, panel ", format.panel,
              ", expected a multiple of vector_length ", v);
  BTC_REQUIRE(FormatError, format.column_scale || !format.group_column_scale, origin,
              ": column scales of each group without column scales");
  BTC_REQUIRE(FormatError, !format.group_ratio || (format.groups > 1 && !format.mean), origin,
              ": ratios of ", format.groups, " groups, expected at least 2, without means");
  BTC_REQUIRE(FormatError, !format.int8_scales || (format.group_ratio && !format.salient), origin,
              ": 8-bit scales without ratios of groups, or with salient columns");
  BTC_REQUIRE(FormatError, !format.rice_group_map || format.groups == 2, origin,
              ": a Rice-coded group map with ", format.groups, " groups, expected 2");
}

double nominal_bits(const PackedFormat& format) {
  if (format.level_bits > 0) {
    return format.level_bits;
  }
  return format.vector_length == 0
             ? 1.0
             : std::log2(static_cast<double>(format.codebook_size)) / format.vector_length;
}

std::size_t panel_columns(const PackedFormat& format, std::size_t cols) {
  return format.panel == 0 ? cols : std::min(format.panel, cols);
}

}  // namespace btc
