#include "pipeline/binarized_block.hpp"

#include <algorithm>
#include <string_view>
#include <utility>

#include "common/error.hpp"
#include "model/hessian_sums.hpp"
#include "pipeline/stage_file.hpp"
#include "quant/quantize_linear.hpp"

namespace btc {

namespace {

constexpr StageFileKind kKind = {"btc.binarized", "1.0"};

/// Runs `body`; a NumericError gets the name of what it was about in front.
template <typename Body>
auto named(std::string_view name, const Body& body) {
  try {
    return body();
  } catch (const NumericError& error) {
    BTC_THROW(NumericError, name, ": ", error.what());
  }
}

/// The upper triangle of U, row by row.
std::vector<float> upper_triangle(const Matrix<float>& u) {
  std::vector<float> packed;
  packed.reserve(u.rows() * (u.rows() + 1) / 2);
  for (std::size_t i = 0; i < u.rows(); ++i) {
    const auto row = u.row(i);
    packed.insert(packed.end(), row.begin() + static_cast<std::ptrdiff_t>(i), row.end());
  }
  return packed;
}

Matrix<float> unpack_upper(const std::vector<float>& packed, std::size_t width,
                           const std::string& where) {
  BTC_REQUIRE(FormatError, packed.size() == width * (width + 1) / 2, where,
              ": expected the upper triangle of a factor of width ", width, ", got ", packed.size(),
              " values");
  Matrix<float> u(width, width);
  const float* next = packed.data();
  for (std::size_t i = 0; i < width; ++i) {
    std::copy_n(next, width - i, u.row(i).data() + i);
    next += width - i;
  }
  return u;
}

std::string group_of(SharedInput input) { return concat("/input/", name_of(input)); }
std::string group_of(LinearKind kind) { return concat("/linear/", name_of(kind)); }

/// Patterns of all histograms of a Linear one behind the other, and the same of their counts; how
/// many each has where there are several.
void write_histograms(Hdf5File& file, const std::string& group,
                      const std::vector<PatternHistogram>& histograms) {
  std::vector<Pattern> patterns;
  std::vector<std::uint64_t> counts;
  std::vector<std::uint64_t> sizes;
  for (const PatternHistogram& histogram : histograms) {
    patterns.insert(patterns.end(), histogram.patterns.begin(), histogram.patterns.end());
    counts.insert(counts.end(), histogram.counts.begin(), histogram.counts.end());
    sizes.push_back(histogram.patterns.size());
  }
  write_list(file, group + "/patterns", patterns);
  write_list(file, group + "/counts", counts);
  if (sizes.size() > 1) {
    write_list(file, group + "/sizes", sizes);
  }
}

std::vector<PatternHistogram> histograms_of(const Hdf5File& file, LinearKind kind,
                                            const std::filesystem::path& path) {
  const std::string group = group_of(kind);
  const auto patterns = file.read<Pattern>(group + "/patterns");
  const auto counts = file.read<std::uint64_t>(group + "/counts");
  auto sizes = read_list<std::uint64_t>(file, group + "/sizes");
  if (sizes.empty()) {
    sizes.push_back(patterns.size());
  }
  BTC_REQUIRE(FormatError, patterns.size() == counts.size(), path.string(), ": ", group,
              ": expected as many counts as patterns (", patterns.size(), "), got ", counts.size());
  BTC_REQUIRE(FormatError, std::find(counts.begin(), counts.end(), 0U) == counts.end(),
              path.string(), ": ", group, "/counts: a count is 0, expected at least 1");
  std::vector<PatternHistogram> histograms;
  std::uint64_t begin = 0;
  for (const std::uint64_t size : sizes) {
    BTC_REQUIRE(FormatError, size <= patterns.size() - begin, path.string(), ": ", group,
                "/sizes: more than the ", patterns.size(), " patterns there are");
    const auto first = static_cast<std::ptrdiff_t>(begin);
    const auto last = static_cast<std::ptrdiff_t>(begin + size);
    histograms.push_back({static_cast<int>(file.int_attribute("/", "vector_length")),
                          {patterns.begin() + first, patterns.begin() + last},
                          {counts.begin() + first, counts.begin() + last}});
    begin += size;
  }
  BTC_REQUIRE(FormatError, begin == patterns.size(), path.string(), ": ", group, "/sizes: got ",
              begin, " patterns, expected ", patterns.size());
  return histograms;
}

}  // namespace

Hessians mean_hessians(const ModelConfig& model, const BlockWeights& weights,
                       std::span<const SharedInput> wanted, const SequenceStream& next,
                       std::size_t sequences, TorchPlace place) {
  HessianSums sums(model, weights, wanted, place);
  for (std::size_t s = 0; s < sequences; ++s) {
    const Matrix<float> hidden = next();
    sums.add(hidden.view());
  }
  return sums.take(1.0F / static_cast<float>(sequences));
}

Hessians mean_hessians(const ModelConfig& model, const BlockWeights& weights,
                       std::span<const SharedInput> wanted, ActivationReader& inputs,
                       TorchPlace place) {
  const ActivationHeader& header = inputs.header();
  HessianSums sums(model, weights, wanted, place);
  Matrix<float> hidden(header.tokens, header.hidden);
  for (std::size_t s = 0; s < header.sequences; ++s) {
    inputs.next(hidden.view());
    sums.add(hidden.view());
  }
  return sums.take(1.0F / static_cast<float>(header.sequences));
}

std::string describe_damping(const BinarizedBlock& block) {
  std::string text;
  for (const SharedInput input : kSharedInputs) {
    const HessianFactor& factor = block.factor.at(index_of(input));
    if (factor.raised > 0) {
      text += concat("; Hessian of ", name_of(input), ": damping raised 10^", factor.raised,
                     " times, to ", factor.lambda);
    }
  }
  return text;
}

BinarizedBlock binarize_block(const ModelConfig& model, const BlockWeights& weights,
                              const OnlineFactors& online, ActivationReader& inputs,
                              const BinarizeParams& binarize,
                              const std::optional<CodebookParams>& codebook, Backend& backend,
                              TorchPlace place) {
  BinarizedBlock block;
  Hessians hessians = mean_hessians(model, weights, kSharedInputs, inputs, place);
  for (const SharedInput input : kSharedInputs) {
    Matrix<float>& hessian = hessians.at(index_of(input));
    transform_hessian(online.at(index_of(input)), hessian);
    block.factor.at(index_of(input)) = named(concat("Hessian of ", name_of(input)), [&] {
      return factor_inputs(hessian, binarize, codebook, backend);
    });
    hessian = Matrix<float>();
  }
  if (!learns_codebook(codebook)) {
    return block;
  }
  block.linear.resize(kLinearKinds.size());
  backend.for_each(kLinearKinds.size(), [&](std::size_t i) {
    const LinearKind kind = kLinearKinds.at(i);
    const HessianFactor& factor = block.factor.at(index_of(input_of(kind)));
    const KroneckerFactors& factors = online.at(index_of(input_of(kind)));
    QuantizeResult result = named(name_of(kind), [&] {
      Matrix<float> entered;  // only where a transform changes the weights
      MatrixView<const float> weight = weights.linear.at(i).view();
      if (!factors.identity()) {
        entered = weights.linear.at(i);
        enter_transform(factors, entered.view());
        weight = entered.view();
      }
      return quantize_linear(weight, factor, binarize, codebook, nullptr, std::nullopt, backend);
    });
    block.linear[i] = {std::move(result.linear.salient_columns),
                       codebook_histograms(result.linear, binarize, *codebook),
                       result.relative_error};
  });
  return block;
}

std::size_t write_binarized(const std::filesystem::path& path, const BinarizedBlock& block,
                            const std::string& fingerprint) {
  Hdf5File file = create_stage_file(path, kKind, fingerprint);
  for (const SharedInput input : kSharedInputs) {
    const HessianFactor& factor = block.factor.at(index_of(input));
    const std::string group = group_of(input);
    write_list(file, group + "/factor", upper_triangle(factor.u));
    file.set_attribute(group + "/factor", "width", static_cast<std::int64_t>(factor.u.rows()));
    file.set_attribute(group + "/factor", "lambda", factor.lambda);
    write_list(file, group + "/dead_columns", factor.dead_columns);
    write_list(file, group + "/gram", factor.gram.values());
  }
  file.set_attribute("/", "linears", static_cast<std::int64_t>(block.linear.size()));
  const int vector_length =
      block.linear.empty() ? 0 : block.linear[0].histograms.at(0).vector_length;
  file.set_attribute("/", "vector_length", static_cast<std::int64_t>(vector_length));
  for (std::size_t i = 0; i < block.linear.size(); ++i) {
    const BinarizedLinear& linear = block.linear[i];
    const std::string group = group_of(kLinearKinds.at(i));
    write_histograms(file, group, linear.histograms);
    file.set_attribute(group + "/patterns", "relative_error", linear.relative_error);
    write_list(file, group + "/salient_columns", linear.salient_columns);
  }
  return file.commit();
}

BinarizedBlock read_binarized(const std::filesystem::path& path) {
  const Hdf5File file = open_stage_file(path, kKind);
  BinarizedBlock block;
  for (const SharedInput input : kSharedInputs) {
    const std::string name = group_of(input) + "/factor";
    HessianFactor& factor = block.factor.at(index_of(input));
    factor.u =
        unpack_upper(file.read<float>(name), narrow<std::size_t>(file.int_attribute(name, "width")),
                     path.string() + ": " + name);
    factor.lambda = file.real_attribute(name, "lambda");
    factor.dead_columns = read_list<std::uint32_t>(file, group_of(input) + "/dead_columns");
    std::vector<float> gram = read_list<float>(file, group_of(input) + "/gram");
    BTC_REQUIRE(FormatError, gram.size() % factor.u.rows() == 0, path.string(), ": ",
                group_of(input), "/gram: got ", gram.size(), " values, expected rows for ",
                factor.u.rows(), " columns");
    if (!gram.empty()) {
      factor.gram = Matrix<float>(factor.u.rows(), gram.size() / factor.u.rows());
      factor.gram.values() = std::move(gram);
    }
  }
  if (file.int_attribute("/", "linears") == 0) {
    return block;
  }
  for (const LinearKind kind : kLinearKinds) {
    const std::string group = group_of(kind);
    block.linear.push_back({read_list<std::uint32_t>(file, group + "/salient_columns"),
                            histograms_of(file, kind, path),
                            file.real_attribute(group + "/patterns", "relative_error")});
  }
  return block;
}

std::vector<PatternHistogram> read_histograms(const std::filesystem::path& path) {
  const Hdf5File file = open_stage_file(path, kKind);
  std::vector<PatternHistogram> histograms;
  for (const LinearKind kind : kLinearKinds) {
    for (PatternHistogram& histogram : histograms_of(file, kind, path)) {
      histograms.push_back(std::move(histogram));
    }
  }
  return histograms;
}

}  // namespace btc
