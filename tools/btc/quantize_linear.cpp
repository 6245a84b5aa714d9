#include <fmt/format.h>

#include <cmath>
#include <iostream>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "backend/backend.hpp"
#include "comm/device_binding.hpp"
#include "commands.hpp"
#include "common/error.hpp"
#include "config/pipeline_config.hpp"
#include "io/safetensors.hpp"
#include "pack/packed_block.hpp"
#include "pipeline/encode.hpp"
#include "quant/codebook.hpp"
#include "quant/hessian.hpp"
#include "quant/quantize_linear.hpp"

namespace btc {

namespace {

struct QuantizeOptions {
  std::string weights;
  std::string name = "weight";
  std::string inputs = "inputs";
  std::string preset;
  std::vector<std::string> overrides;
  std::string out;
  std::string backend = "cpu";
  int threads = 1;
  std::uint64_t seed = 42;
};

/// A tensor of `dimensions` dimensions as [first ones, last one].
Matrix<float> read_matrix(const SafetensorsFile& file, const std::string& name,
                          std::size_t dimensions) {
  BTC_REQUIRE(InputError, file.find(name) != nullptr, file.path().string(), ": tensor ", name,
              " is missing");
  const TensorView& tensor = file.at(name);
  BTC_REQUIRE(InputError, tensor.shape.size() == dimensions && tensor.element_count() > 0,
              file.path().string(), ": ", name, ": got ", tensor.shape.size(), " dimensions and ",
              tensor.element_count(), " values, expected ", dimensions,
              " dimensions, none of them 0");
  const auto cols = narrow<std::size_t>(tensor.shape.back());
  Matrix<float> matrix(tensor.element_count() / cols, cols);
  matrix.values() = to_float(tensor);
  for (std::size_t e = 0; e < matrix.size(); ++e) {
    BTC_REQUIRE(InputError, std::isfinite(matrix.values()[e]), file.path().string(), ": ", name,
                ": value ", e, " is ", matrix.values()[e], ", expected a finite number");
  }
  return matrix;
}

std::unique_ptr<Backend> make_backend(const QuantizeOptions& options) {
  if (options.backend == "cuda") {
    return make_cuda_backend(device_of_rank(0, cuda_device_count()), options.threads);
  }
  return options.backend == "reference" ? make_reference_backend()
                                        : make_cpu_backend(options.threads);
}

/// A quantized matrix and what it costs.
struct Outcome {
  QuantizeResult result;
  std::vector<LedgerLine> ledger;
  BitNumbers bits;
};

Outcome quantize(const Matrix<float>& weight, const HessianFactor& factor,
                 const QuantizationParams& params, std::uint64_t seed, Backend& backend) {
  Outcome outcome;
  const bool learned = learns_codebook(params.codebook);
  const auto given = params.codebook && !learned ? backend.open_linear_code() : nullptr;
  outcome.result = quantize_linear(weight.view(), factor, params.binarize, params.codebook,
                                   given.get(), std::nullopt, backend);
  PackedFormat format = packed_format(params.binarize, params.codebook);
  std::vector<Codebook> codebooks;
  if (learned) {
    const QuantizedLinear free = std::move(outcome.result.linear);
    codebooks = learn_codebooks(
        codebook_histograms(free, params.binarize, *params.codebook), *params.codebook,
        [&](std::size_t) { return seed; }, backend);
    std::unique_ptr<CodewordSearch> search;
    if (format.scope != CodebookScope::kBlockGroup) {
      format.scope = CodebookScope::kLinear;
      search = backend.open_codewords(codebooks.front().codewords, params.codebook->vector_length);
    }
    const LinearCodewords codewords =
        search ? LinearCodewords(search.get()) : LinearCodewords(std::span(codebooks));
    outcome.result = quantize_linear(weight.view(), factor, params.binarize, params.codebook,
                                     codewords, free.salient_columns, backend);
  }
  outcome.ledger = linear_ledger(outcome.result.linear, codebooks, format);
  const std::uint64_t weights = weight.size();
  outcome.bits = bit_numbers(outcome.ledger, nominal_bits(format), weights, weights);
  return outcome;
}

void print(const Outcome& outcome) {
  const QuantizedLinear& linear = outcome.result.linear;
  std::cout << fmt::format("linear [{}, {}], {} salient columns\nledger\n", linear.rows,
                           linear.cols, linear.salient_columns.size());
  for (const LedgerLine& line : outcome.ledger) {
    std::cout << fmt::format("  {:<14} {:>16}\n", line.category, line.bytes);
  }
  std::cout << fmt::format("  {:<14} {:>16}\n", "total", total_bytes(outcome.ledger));
  std::cout << fmt::format("bits  nominal {:.4f}  sign {:.4f}  stored {:.4f}\n",
                           outcome.bits.nominal, outcome.bits.sign, outcome.bits.stored);
  std::cout << fmt::format("relative error tr(E H E^T) / tr(W H W^T) {:.6g}\n",
                           outcome.result.relative_error);
  if (!outcome.result.fitted.empty()) {
    std::cout << fmt::format("before the scales were rounded to fp16 {:.6g}\n",
                             outcome.result.fitted_error);
  }
}

TensorView view_of(const char* name, const Matrix<float>& matrix) {
  return {name,
          DType::kF32,
          {narrow<std::int64_t>(matrix.rows()), narrow<std::int64_t>(matrix.cols())},
          std::as_bytes(std::span(matrix.values()))};
}

/// `Q`, and with `rounding: end` also `Q_stored`, decoded from the scales as they are stored.
void write(const std::string& path, const Outcome& outcome) {
  const QuantizeResult& result = outcome.result;
  const Matrix<float> stored = dequantize(result.linear);
  const bool rounded_later = !result.fitted.empty();
  std::map<std::string, std::string> metadata = {
      {"nominal_bits", fmt::format("{}", outcome.bits.nominal)},
      {"sign_bits", fmt::format("{}", outcome.bits.sign)},
      {"stored_bits", fmt::format("{}", outcome.bits.stored)},
      {"rel_output_error",
       fmt::format("{}", rounded_later ? result.fitted_error : result.relative_error)},
      {"rel_output_error_stored", fmt::format("{}", result.relative_error)}};
  for (const LedgerLine& line : outcome.ledger) {
    metadata["bytes." + line.category] = fmt::format("{}", line.bytes);
  }
  std::vector<TensorView> tensors = {view_of("Q", rounded_later ? result.fitted : stored)};
  if (rounded_later) {
    tensors.push_back(view_of("Q_stored", stored));
  }
  write_safetensors(path, tensors, metadata);
}

void run(const QuantizeOptions& options) {
  const QuantizationParams params = load_quantization(options.preset, options.overrides);
  const SafetensorsFile file = SafetensorsFile::open(options.weights);
  const Matrix<float> weight = read_matrix(file, options.name, 2);
  const Matrix<float> inputs = read_matrix(file, options.inputs, 3);
  BTC_REQUIRE(InputError, inputs.cols() == weight.cols(), options.weights, ": ", options.inputs,
              " has width ", inputs.cols(), ", expected the ", weight.cols(), " columns of ",
              options.name);
  const auto sequences = narrow<std::size_t>(file.at(options.inputs).shape.front());
  const auto backend = make_backend(options);
  Matrix<float> hessian = input_hessian(inputs.view(), sequences);
  const HessianFactor factor = factor_inputs(hessian, params.binarize, params.codebook, *backend);
  const Outcome outcome = quantize(weight, factor, params, options.seed, *backend);
  write(options.out, outcome);
  print(outcome);
}

}  // namespace

void add_quantize_linear(CLI::App& app) {
  CLI::App* command = app.add_subcommand(
      "quantize-linear", "quantize one matrix: dense result, ledger and error of its output");
  const auto options = std::make_shared<QuantizeOptions>();
  command->add_option("--weights", options->weights, "safetensors file with matrix and inputs")
      ->required();
  command->add_option("--name", options->name, "tensor [n, m], default: weight");
  command->add_option("--inputs-tensor", options->inputs,
                      "tensor [sequences, tokens, m], default: inputs");
  command->add_option("--preset", options->preset, "name of a preset, or the path of a file");
  command->add_option("--set", options->overrides, "binarize.key=VALUE or codebook.key=VALUE")
      ->take_all()
      ->allow_extra_args(false);
  command->add_option("--out", options->out, "safetensors file to write: tensor Q [n, m]")
      ->required();
  command->add_option("--backend", options->backend, "cpu (default), cuda or reference")
      ->check(CLI::IsMember({"cpu", "cuda", "reference"}));
  command->add_option("--threads", options->threads, "of the host, for cpu and cuda")
      ->check(CLI::Range(1, 1024));
  command->add_option("--seed", options->seed, "of a codebook with init: random");
  command->callback([options] { run(*options); });
}

}  // namespace btc
