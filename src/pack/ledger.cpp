#include "pack/ledger.hpp"

#include <algorithm>
#include <array>
#include <set>
#include <utility>

#include "common/error.hpp"

namespace btc {
namespace {

struct SuffixCategory {
  std::string_view suffix;
  std::string_view category;
};
/// Last part of a tensor's name; `weight` is decided by the whole name.
constexpr std::array<SuffixCategory, 24> kSuffixes = {{{"indices", "signs"},
                                                       {"signs", "signs"},
                                                       {"levels", "signs"},
                                                       {"zeros", "scales"},
                                                       {"mu_col", "column_scales"},
                                                       {"residual_signs", "residual"},
                                                       {"codebook", "codebook"},
                                                       {"codebook_size", "codebook"},
                                                       {"alpha", "scales"},
                                                       {"group_ratio", "scales"},
                                                       {"mu", "scales"},
                                                       {"salient_alpha", "scales"},
                                                       {"salient_mu", "scales"},
                                                       {"alpha_col", "column_scales"},
                                                       {"salient_alpha_col", "column_scales"},
                                                       {"group_map", "group_map"},
                                                       {"group_map_row_bytes", "group_map"},
                                                       {"salient_columns", "salient_map"},
                                                       {"p1", "transform"},
                                                       {"p2", "transform"},
                                                       {"weight_shape", "shape"},
                                                       {"bias", "bias"},
                                                       {"weight", ""}}};

std::string_view category_of_weight(std::string_view owner) {
  if (owner == "model.embed_tokens") {
    return "embedding";
  }
  if (owner == "lm_head") {
    return "head";
  }
  return owner.ends_with("norm") ? "norm" : "";
}

std::string_view category_of(std::string_view owner, std::string_view suffix) {
  for (const SuffixCategory& known : kSuffixes) {
    if (known.suffix == suffix) {
      return suffix == "weight" ? category_of_weight(owner) : known.category;
    }
  }
  return "";
}

/// Whether a category counts as part of the quantized Linears, wherever it lies.
bool belongs_to_linears(std::string_view category) {
  constexpr std::array<std::string_view, 10> kParts = {
      "signs",     "residual", "codebook",    "scales",    "column_scales",
      "group_map", "shape",    "salient_map", "transform", "bias"};
  return std::find(kParts.begin(), kParts.end(), category) != kParts.end();
}

}  // namespace

LedgerLine ledger_line_of(const TensorView& tensor, std::string_view file) {
  const std::string_view name = tensor.name;
  const std::size_t dot = name.rfind('.');
  const bool has_owner = dot != std::string_view::npos && dot > 0;
  const std::string_view owner = has_owner ? name.substr(0, dot) : "";
  const std::string_view category = has_owner ? category_of(owner, name.substr(dot + 1)) : "";
  BTC_REQUIRE(FormatError, !category.empty(), file, ": ", name, ", byte ", tensor.file_offset,
              ": not a tensor of the packed format");
  return {std::string(file), std::string(owner), std::string(category), tensor.bytes.size()};
}

std::vector<LedgerLine> ledger_of(const SafetensorsFile& file) {
  const std::string name = file.path().filename().string();
  std::map<std::pair<std::string, std::string>, std::uint64_t> sums;
  sums[{"header", "container"}] = file.header_bytes();
  for (const TensorView& tensor : file.tensors()) {
    const LedgerLine line = ledger_line_of(tensor, name);
    sums[{line.object, line.category}] += line.bytes;
  }
  std::vector<LedgerLine> lines;
  lines.reserve(sums.size());
  for (const auto& [key, bytes] : sums) {
    lines.push_back({name, key.first, key.second, bytes});
  }
  BTC_REQUIRE(FormatError, total_bytes(lines) == file.file_bytes(), name, ": ledger lines sum to ",
              total_bytes(lines), " bytes, expected ", file.file_bytes());
  return lines;
}

const std::vector<std::string>& ledger_categories() {
  static const std::vector<std::string> kCategories = {
      "signs",     "residual", "codebook",  "scales", "column_scales", "group_map", "salient_map",
      "transform", "shape",    "container", "bias",   "norm",          "embedding", "head"};
  return kCategories;
}

std::vector<LedgerLine> totals_by_category(const std::vector<LedgerLine>& lines) {
  std::vector<LedgerLine> totals;
  for (const std::string& category : ledger_categories()) {
    LedgerLine total{"", "", category, 0};
    for (const LedgerLine& line : lines) {
      total.bytes += line.category == category ? line.bytes : 0;
    }
    if (total.bytes > 0) {
      totals.push_back(total);
    }
  }
  BTC_CHECK(total_bytes(totals) == total_bytes(lines), "a ledger line has an unknown category");
  return totals;
}

std::uint64_t total_bytes(const std::vector<LedgerLine>& lines) {
  std::uint64_t total = 0;
  for (const LedgerLine& line : lines) {
    total += line.bytes;
  }
  return total;
}

BitNumbers bit_numbers(const std::vector<LedgerLine>& lines, double nominal,
                       std::uint64_t linear_weights, std::uint64_t parameters) {
  std::set<std::string_view> block_files;
  for (const LedgerLine& line : lines) {
    if (line.category == "shape") {
      block_files.insert(line.file);
    }
  }
  std::uint64_t sign = 0;
  std::uint64_t stored = 0;
  for (const LedgerLine& line : lines) {
    const bool is_sign =
        line.category == "signs" || line.category == "residual" || line.category == "codebook";
    const bool is_stored = belongs_to_linears(line.category) ||
                           (line.category == "container" && block_files.contains(line.file));
    sign += is_sign ? line.bytes : 0;
    stored += is_stored ? line.bytes : 0;
  }
  const auto per = [](std::uint64_t bytes, std::uint64_t count) {
    return count == 0 ? 0.0 : 8.0 * static_cast<double>(bytes) / static_cast<double>(count);
  };
  return {nominal, per(sign, linear_weights), per(stored, linear_weights),
          per(total_bytes(lines), parameters)};
}

}  // namespace btc
