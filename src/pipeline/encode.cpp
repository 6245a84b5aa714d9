#include "pipeline/encode.hpp"

#include <fmt/format.h>
#include <algorithm>
#include <numeric>
#include <utility>

#include "common/error.hpp"
#include "pipeline/codebooks.hpp"
#include "quant/quantize_linear.hpp"

namespace btc {

namespace {
/// Above this share of the entries a plain bitmap is not larger than Rice-coded gaps.
constexpr double kLargestSparseShare = 0.2;
}  // namespace

bool has_rice_map(const BinarizeParams& binarize) {
  return binarize.split_rule == SplitRule::kFraction && binarize.split_points == 1 &&
         binarize.group_fractions.at(0) <= kLargestSparseShare;
}

PackedFormat packed_format(const BinarizeParams& binarize,
                           const std::optional<CodebookParams>& codebook) {
  PackedFormat format;
  if (codebook) {
    format.vector_length = codebook->vector_length;
    format.codec = codebook->codec;
    format.codebook_size = codebook_size(*codebook);
    format.scope = codebook->scope;
    format.masked = is_masked(codebook);
    format.index_coding = index_coding_for(format.codebook_size);
  }
  const bool row = binarize.scales != ScaleLayout::kPanel;
  const bool uniform = binarize.uniform != UniformRule::kNone;
  format.panel = row ? 0 : panel_width(binarize, codebook);
  format.groups = narrow<std::size_t>(binarize.split_points + 1);
  const bool row_column = binarize.method == FitRule::kArbRc && !uniform;
  format.mean = !row && !uniform && !row_column;
  format.column_mean = binarize.scales == ScaleLayout::kGiven;
  format.level_bits = uniform ? binarize.uniform_bits : 0;
  format.column_scale = row || row_column;
  format.group_column_scale = row_column;
  format.group_ratio = shares_group_ratio(binarize.scales);
  format.int8_scales = binarize.scales == ScaleLayout::kRowRatioI8;
  format.salient = binarize.salient != SalientRule::kNone;
  format.salient_groups = binarize.salient_groups ? format.groups : 1;
  format.rice_group_map = has_rice_map(binarize);
  return format;
}

PackedFormat packed_format(const PipelineConfig& config) {
  PackedFormat format = packed_format(config.binarize, config.codebook);
  format.transform = config.transform.kind != TransformKind::kNone && config.transform.factors;
  return format;
}

BlockCodewords shared_codewords(const CodewordSearch* all) {
  return BlockCodewords(kLinearKinds.size(), LinearCodewords(all));
}

BlockCodewords block_codewords(const ModelConfig& model, const BinarizeParams& binarize,
                               const CodebookParams& params,
                               std::span<const std::unique_ptr<CodewordSearch>> searches,
                               std::span<const Codebook> codebooks) {
  BlockCodewords codewords;
  std::size_t next = 0;
  for (const LinearKind kind : kLinearKinds) {
    if (params.scope != CodebookScope::kBlockGroup) {
      codewords.emplace_back(search_of(searches, kind));
      continue;
    }
    const std::size_t count = codebooks_of_linear(linear_shape(model, kind)[1], binarize, params);
    BTC_CHECK(next + count <= codebooks.size(), codebooks.size(), " codebooks of a block");
    codewords.emplace_back(codebooks.subspan(next, count));
    next += count;
  }
  return codewords;
}

EncodedBlock encode_block(BlockWeights weights, const OnlineFactors& online,
                          BinarizedBlock binarized, const BinarizeParams& binarize,
                          const std::optional<CodebookParams>& codebook,
                          const BlockCodewords& codewords, Backend& backend,
                          const PrepareLinear& prepare) {
  EncodedBlock block;
  const auto encode = [&](std::size_t i) {
    const LinearKind kind = kLinearKinds.at(i);
    std::optional<std::vector<std::uint32_t>> salient;
    if (!binarized.linear.empty()) {
      salient = binarized.linear.at(i).salient_columns;
    }
    const KroneckerFactors& factors = online.at(index_of(input_of(kind)));
    HessianFactor& factor = binarized.factor.at(index_of(input_of(kind)));
    try {
      if (prepare) {
        prepare(kind, weights, block, factor);
      }
      enter_transform(factors, weights.linear.at(i).view());
      QuantizeResult result = quantize_linear(weights.linear.at(i).view(), factor, binarize,
                                              codebook, codewords.at(i), salient, backend);
      const MatrixView<float> quantized = weights.linear.at(i).view();
      const RowBlocks rows(backend);
      rows(quantized.rows(), [&](std::size_t begin, std::size_t end) {
        dequantize_rows(result.linear, begin, end, quantized);
      });
      fold_transform(factors, weights.linear.at(i).view());
      block.linear.at(i) = std::move(result.linear);
      block.relative_error.at(i) = result.relative_error;
    } catch (const NumericError& error) {
      BTC_THROW(NumericError, name_of(kind), ": ", error.what());
    }
  };
  if (!prepare) {
    backend.for_each(kLinearKinds.size(), encode);
    return block;
  }
  for (std::size_t i = 0; i < kLinearKinds.size(); ++i) {  // each sees what the last one left
    encode(i);
  }
  return block;
}

std::string describe_errors(const std::array<double, kLinearKinds.size()>& relative_error) {
  const double mean = std::accumulate(relative_error.begin(), relative_error.end(), 0.0) /
                      static_cast<double>(relative_error.size());
  const auto worst = std::max_element(relative_error.begin(), relative_error.end());
  const auto kind = kLinearKinds.at(static_cast<std::size_t>(worst - relative_error.begin()));
  return fmt::format("relative error mean {:.4f}, worst {:.4f} ({})", mean, *worst, name_of(kind));
}

std::string describe_recoveries(int recoveries) {
  return recoveries > 0 ? fmt::format(", {} steps not finite", recoveries) : "";
}

}  // namespace btc
