#include "pack/ledger.hpp"

#include <gmock/gmock.h>

#include <map>

#include "common/error.hpp"
#include "pack/packed_block.hpp"

namespace btc {
namespace {

std::map<std::string, std::uint64_t> by_category(const std::vector<LedgerLine>& lines) {
  std::map<std::string, std::uint64_t> sums;
  for (const LedgerLine& line : lines) {
    sums[line.category] += line.bytes;
  }
  return sums;
}

PackedFormat codebook_format() {
  PackedFormat format;
  format.vector_length = 16;
  format.codebook_size = 7131;
  format.scope = CodebookScope::kLinear;
  format.index_coding = IndexCoding::kRadix;
  return format;
}

/// [n, m] of the seven Linears of a LLaMA-2-7B block; there are 32 blocks.
constexpr std::array<std::array<std::size_t, 2>, 7> kLlama7b = {{{4096, 4096},
                                                                 {4096, 4096},
                                                                 {4096, 4096},
                                                                 {4096, 4096},
                                                                 {11008, 4096},
                                                                 {11008, 4096},
                                                                 {4096, 11008}}};
constexpr std::uint64_t kLlama7bWeights = 6'476'005'376;

/// Bits per weight of all 7B Linears in this format.
double llama_bits(const PackedFormat& format, double salient_fraction) {
  std::uint64_t bytes = 0;
  for (const auto& [n, m] : kLlama7b) {
    const auto salient = static_cast<std::size_t>(salient_fraction * static_cast<double>(m));
    bytes += 32 * total_bytes(predict_linear_ledger(n, m, format, salient, 0.5));
  }
  return 8.0 * static_cast<double>(bytes) / static_cast<double>(kLlama7bWeights);
}

TEST(Ledger, OneLinearWithThreeGroupsAndSalientColumns) {
  PackedFormat format = codebook_format();
  format.panel = 128;
  format.groups = 3;
  const auto lines = predict_linear_ledger(4096, 4096, format, 369, 0.5);
  const std::map<std::string, std::uint64_t> expected = {
      {"signs", 1'677'728},
      {"codebook", 14'262 + 8},
      {"scales", 786'432 + 786'432 + 524'288 + 262'144},
      {"salient_map", 512},
      {"residual", 192'512},
      {"group_map", 3'055'616},
      {"shape", 16}};
  EXPECT_EQ(by_category(lines), expected);
  EXPECT_EQ(total_bytes(lines), 7'299'950U);
}

TEST(Ledger, SevenBillionWithRowAndColumnScales) {
  PackedFormat format = codebook_format();
  format.panel = 0;
  format.mean = false;
  format.column_scale = true;
  format.salient = false;
  std::map<std::string, std::uint64_t> sums;
  for (const auto& [n, m] : kLlama7b) {
    for (const LedgerLine& line : predict_linear_ledger(n, m, format, 0, 0)) {
      sums[line.category] += 32 * line.bytes;
    }
  }
  const std::map<std::string, std::uint64_t> expected = {{"signs", 647'601'664},
                                                         {"codebook", 3'196'480},
                                                         {"scales", 2'719'744},
                                                         {"column_scales", 2'277'376},
                                                         {"shape", 3'584}};
  EXPECT_EQ(sums, expected);
  std::vector<LedgerLine> lines;
  lines.reserve(sums.size());
  for (const auto& [category, bytes] : sums) {
    lines.push_back({"f", "o", category, bytes});
  }
  const BitNumbers bits = bit_numbers(lines, nominal_bits(format), kLlama7bWeights, 1);
  EXPECT_NEAR(bits.sign, 0.80395, 0.000005);
  EXPECT_NEAR(bits.nominal, 0.79999, 0.00001);
  format.index_coding = IndexCoding::kFixed;
  std::uint64_t fixed = 0;
  for (const auto& [n, m] : kLlama7b) {
    fixed += 32 * by_category(predict_linear_ledger(n, m, format, 0, 0)).at("signs");
  }
  EXPECT_EQ(fixed, 657'719'296U);
}

/// The papers' accounting is a continuous formula with the group map over all entries; ours leaves
/// salient columns out of it: the difference is r * gamma.
TEST(Ledger, AgreesWithThePapersAccounting) {
  PackedFormat format;
  format.panel = 128;
  format.groups = 2;
  const double r = 0.09;
  EXPECT_NEAR(llama_bits(format, r) + r * 1.0, 2.965, 0.002);  // one split, free signs
  format = codebook_format();
  format.panel = 128;
  format.index_coding = IndexCoding::kFixed;
  // The formula charges the second plane at the rate of the codebook; ours is raw.
  const double raw_plane = r * (1.0 - 13.0 / 16.0);
  const std::array<double, 3> gamma = {1.0, 1.6, 2.0};
  const std::array<double, 3> paper = {2.769, 3.619, 4.269};
  for (std::size_t s = 1; s <= 3; ++s) {
    format.groups = s + 1;
    const double transform = 0.004;
    EXPECT_NEAR(llama_bits(format, r) + r * gamma.at(s - 1) - raw_plane + transform,
                paper.at(s - 1), 0.003)
        << s;
  }
}

TEST(Ledger, RicePredictionFollowsTheEntropy) {
  PackedFormat format = codebook_format();
  format.panel = 0;
  format.groups = 2;
  format.rice_group_map = true;
  for (const auto& [share, bits] :
       std::vector<std::pair<double, double>>{{0.01, 0.081}, {0.05, 0.289}, {0.1, 0.475}}) {
    const auto map =
        by_category(predict_linear_ledger(4096, 11008, format, 0, share)).at("group_map");
    EXPECT_NEAR(8.0 * static_cast<double>(map) / (4096.0 * 11008.0), bits, 0.004) << share;
    const auto narrow =
        by_category(predict_linear_ledger(4096, 256, format, 0, share)).at("group_map");
    EXPECT_NEAR(8.0 * static_cast<double>(narrow) / (4096.0 * 256.0), bits, 0.004) << share;
  }
}

TEST(Ledger, BitNumbersCountWhatTheyPromise) {
  const std::vector<LedgerLine> lines = {
      {"a", "q", "signs", 100},           {"a", "q", "residual", 10},
      {"a", "q", "scales", 30},           {"a", "q", "shape", 16},
      {"a", "header", "container", 4},    {"a", "n", "norm", 7},
      {"z", "model.btc", "codebook", 40}, {"z", "header", "container", 9},
      {"z", "e", "embedding", 500}};
  const BitNumbers bits = bit_numbers(lines, 0.5, 800, 1000);
  EXPECT_DOUBLE_EQ(bits.nominal, 0.5);
  EXPECT_DOUBLE_EQ(bits.sign, 1.5);
  EXPECT_DOUBLE_EQ(bits.stored, 2.0);
  EXPECT_DOUBLE_EQ(bits.model, 8.0 * 716 / 1000);
}

TEST(Ledger, TotalsKeepThePrintingOrder) {
  const auto totals = totals_by_category({{"a", "x", "norm", 1},
                                          {"a", "y", "signs", 2},
                                          {"b", "x", "norm", 3},
                                          {"b", "x", "head", 0}});
  EXPECT_EQ(totals, (std::vector<LedgerLine>{{"", "", "signs", 2}, {"", "", "norm", 4}}));
  EXPECT_THROW(totals_by_category({{"a", "x", "other", 1}}), Error);
}

TEST(Ledger, CategoriesComeFromNames) {
  const auto category = [](const std::string& name) {
    return ledger_line_of({name, DType::kU8, {0}, {}}, "f").category;
  };
  EXPECT_EQ(category("model.layers.0.mlp.down_proj.residual_signs"), "residual");
  EXPECT_EQ(category("model.layers.0.self_attn.q_norm.weight"), "norm");
  EXPECT_EQ(category("model.embed_tokens.weight"), "embedding");
  EXPECT_EQ(category("lm_head.weight"), "head");
  EXPECT_EQ(category("model.btc.codebook"), "codebook");
  for (const char* name : {"model.layers.0.mlp.down_proj.weight", "x.unknown", "signs", ".signs"}) {
    EXPECT_THROW(category(name), FormatError) << name;
  }
}

}  // namespace
}  // namespace btc
