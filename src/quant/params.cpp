#include "quant/params.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "common/error.hpp"
#include "common/linear_code.hpp"
#include "common/matrix.hpp"
#include "common/pattern.hpp"
#include "quant/sign_sets.hpp"

namespace btc {
namespace {

void check_binarize(const BinarizeParams& p) {
  BTC_REQUIRE(ConfigError, p.iterations >= 0, "binarize.iterations: got ", p.iterations,
              ", expected >= 0");
  BTC_REQUIRE(ConfigError, p.split_points >= 0 && p.split_points <= 3,
              "binarize.split_points: got ", p.split_points, ", expected 0..3");
  BTC_REQUIRE(ConfigError, p.panel >= 1, "binarize.panel: got ", p.panel, ", expected >= 1");
  BTC_REQUIRE(ConfigError, p.damping > 0 && p.damping <= 1, "binarize.damping: got ", p.damping,
              ", expected a value in (0, 1]");
  BTC_REQUIRE(ConfigError, p.salient_fraction >= 0 && p.salient_fraction <= 1,
              "binarize.salient_fraction: got ", p.salient_fraction, ", expected 0..1");
  const bool by_fraction = p.split_rule == SplitRule::kFraction;
  const std::size_t shares = by_fraction ? static_cast<std::size_t>(p.split_points) : 0;
  BTC_REQUIRE(ConfigError, p.group_fractions.size() == shares, "binarize.group_fractions: got ",
              p.group_fractions.size(), " shares, expected ", shares,
              by_fraction ? " (binarize.split_points)" : " (split_rule is not fraction)");
  for (const double share : p.group_fractions) {
    BTC_REQUIRE(ConfigError, share > 0 && share < 1, "binarize.group_fractions: got ", share,
                ", expected a value between 0 and 1");
  }
  const bool ratio = shares_group_ratio(p.scales);
  const bool row = p.scales == ScaleLayout::kRow || ratio;
  BTC_REQUIRE(ConfigError, !row || p.method == FitRule::kArb, "binarize.method: got ",
              kFitRuleNames.at(static_cast<std::size_t>(p.method)),
              ", expected arb with scales: row and row_ratio");
  BTC_REQUIRE(ConfigError, p.solver == FitSolver::kIterative || (!row && p.method == FitRule::kArb),
              "binarize.solver: got exact, expected iterative unless method is arb and scales are "
              "panel");
  BTC_REQUIRE(ConfigError,
              !p.salient_groups || (!row && p.split_rule == SplitRule::kSearch &&
                                    p.split_points > 0 && p.salient != SalientRule::kNone),
              "binarize.salient_groups: got true, expected false unless there are salient columns, "
              "split points, split_rule: search and scales: panel");
  BTC_REQUIRE(ConfigError, !ratio || (p.split_points > 0 && p.rounding == ScaleRounding::kPanel),
              "binarize.scales: row_ratio expects split points and rounding: panel");
  BTC_REQUIRE(ConfigError, p.scales != ScaleLayout::kRowRatioI8 || p.salient == SalientRule::kNone,
              "binarize.salient: got ", kSalientRuleNames.at(static_cast<std::size_t>(p.salient)),
              ", expected none with scales: row_ratio_i8");
  const double sum = std::accumulate(p.group_fractions.begin(), p.group_fractions.end(), 0.0);
  BTC_REQUIRE(ConfigError, sum < 1, "binarize.group_fractions: the shares add up to ", sum,
              ", expected less than 1");
}

/// Layouts that know neither groups nor salient columns.
void check_plain_layout(const BinarizeParams& p, std::string_view why) {
  BTC_REQUIRE(ConfigError, p.split_points == 0, "binarize.split_points: got ", p.split_points,
              ", expected 0 with ", why);
  BTC_REQUIRE(ConfigError, p.salient == SalientRule::kNone, "binarize.salient: expected none with ",
              why);
  BTC_REQUIRE(ConfigError, p.rounding == ScaleRounding::kPanel,
              "binarize.rounding: expected panel with ", why);
}

void check_layout(const BinarizeParams& p, const std::optional<CodebookParams>& codebook) {
  if (p.scales == ScaleLayout::kGiven) {
    check_plain_layout(p, "scales: given");
  }
  if (p.uniform == UniformRule::kNone) {
    return;
  }
  check_plain_layout(p, "uniform levels");
  BTC_REQUIRE(ConfigError, p.scales == ScaleLayout::kPanel,
              "binarize.scales: expected panel with uniform levels");
  BTC_REQUIRE(ConfigError, p.uniform_bits >= 2 && p.uniform_bits <= 8,
              "binarize.uniform_bits: got ", p.uniform_bits, ", expected 2..8");
  BTC_REQUIRE(ConfigError, !codebook, "codebook: expected none with uniform levels");
}

/// Sets are known once a panel is binarized, so their codewords are chosen after that.
void check_masked(const BinarizeParams& binarize, const CodebookParams& codebook) {
  const bool possible = codebook.codec == Codec::kLearned && codebook.encode == EncodeMode::kPost &&
                        codebook.assignment == Assignment::kHamming &&
                        binarize.scales == ScaleLayout::kPanel;
  BTC_REQUIRE(ConfigError, codebook.layout == CodebookLayout::kDense || possible,
              "codebook.layout: got masked, expected dense unless codec is learned, encode post, "
              "assignment hamming and binarize.scales panel");
}

std::size_t linear_code_size(const CodebookParams& params) {
  BTC_REQUIRE(ConfigError, params.vector_length == kLinearCodeLength,
              "codebook.vector_length: got ", params.vector_length, ", expected ",
              kLinearCodeLength, " for codec linear_20_16");
  BTC_REQUIRE(ConfigError, !params.target_bits && !params.centroids,
              "codebook.codec: linear_20_16 has 65536 codewords, expected neither target_bits nor "
              "centroids");
  BTC_REQUIRE(ConfigError, params.scope == CodebookScope::kModel,
              "codebook.scope: linear_20_16 stores no codebook, expected scope model");
  return std::size_t{1} << kLinearCodeFree;
}

}  // namespace

bool shares_group_ratio(ScaleLayout scales) {
  return scales == ScaleLayout::kRowRatio || scales == ScaleLayout::kRowRatioI8;
}

bool is_masked(const std::optional<CodebookParams>& codebook) {
  return codebook && codebook->layout == CodebookLayout::kMasked;
}

bool learns_codebook(const std::optional<CodebookParams>& codebook) {
  return codebook && codebook->codec == Codec::kLearned;
}

std::size_t codebook_size(const CodebookParams& params) {
  if (params.codec == Codec::kLinear2016) {
    return linear_code_size(params);
  }
  BTC_REQUIRE(ConfigError,
              params.vector_length >= kMinVectorLength && params.vector_length <= kMaxVectorLength,
              "codebook.vector_length: got ", params.vector_length, ", expected ", kMinVectorLength,
              "..", kMaxVectorLength);
  BTC_REQUIRE(ConfigError, params.target_bits.has_value() != params.centroids.has_value(),
              "codebook: give exactly one of target_bits and centroids, got ",
              params.centroids ? "both" : "none");
  const std::int64_t most = std::int64_t{1} << std::min(params.vector_length, 20);
  if (params.centroids) {
    BTC_REQUIRE(ConfigError, *params.centroids >= 1 && *params.centroids <= most,
                "codebook.centroids: got ", *params.centroids, ", expected 1..", most,
                " for v = ", params.vector_length);
    return static_cast<std::size_t>(*params.centroids);
  }
  const double bits = *params.target_bits;
  BTC_REQUIRE(ConfigError, bits > 0 && bits <= 1, "codebook.target_bits: got ", bits,
              ", expected a value in (0, 1]");
  const double size = std::floor(std::exp2(bits * params.vector_length));
  BTC_REQUIRE(ConfigError, size <= static_cast<double>(most), "codebook.target_bits: ", bits,
              " at v = ", params.vector_length, " needs ", size, " codewords, at most ", most,
              " are supported");
  return static_cast<std::size_t>(size);
}

std::size_t panel_width(const BinarizeParams& binarize,
                        const std::optional<CodebookParams>& codebook) {
  const auto panel = static_cast<std::size_t>(binarize.panel);
  if (!codebook || is_masked(codebook)) {
    return panel;
  }
  const auto v = static_cast<std::size_t>(codebook->vector_length);
  return panel / v * v;
}

std::size_t codebooks_of_linear(std::size_t cols, const BinarizeParams& binarize,
                                const CodebookParams& codebook) {
  if (codebook.scope != CodebookScope::kBlockGroup) {
    return 1;
  }
  const bool masked = codebook.layout == CodebookLayout::kMasked;
  const std::size_t sets = masked ? sign_groups(binarize).sets() : 1;
  return sets * ceil_div(cols, panel_width(binarize, codebook));
}

void check_params(const BinarizeParams& binarize, const std::optional<CodebookParams>& codebook) {
  check_binarize(binarize);
  check_layout(binarize, codebook);
  if (!codebook) {
    return;
  }
  codebook_size(*codebook);
  BTC_REQUIRE(ConfigError, codebook->iterations >= 0, "codebook.iterations: got ",
              codebook->iterations, ", expected >= 0");
  BTC_REQUIRE(ConfigError, binarize.panel >= codebook->vector_length, "binarize.panel: got ",
              binarize.panel,
              ", expected at least codebook.vector_length = ", codebook->vector_length);
  check_masked(binarize, *codebook);
  BTC_REQUIRE(
      ConfigError,
      codebook->scope != CodebookScope::kBlockGroup || binarize.scales == ScaleLayout::kPanel,
      "codebook.scope: got block_group, expected linear, block or model unless "
      "binarize.scales is panel");
}

}  // namespace btc
