#include <fmt/format.h>

#include <cmath>
#include <iostream>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "backend/backend.hpp"
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
  return options.backend == "reference" ? make_reference_backend()
                                        : make_cpu_backend(options.threads);
}

/// A quantized matrix and its codebook, if it has one.
struct Outcome {
  QuantizeResult result;
  std::optional<Codebook> codebook;
};

Outcome quantize(const Matrix<float>& weight, const HessianFactor& factor,
                 const QuantizationParams& params, ScalePrecision precision, std::uint64_t seed,
                 Backend& backend) {
  Outcome outcome;
  outcome.result = quantize_linear(weight.view(), factor, params.binarize, params.codebook, nullptr,
                                   std::nullopt, backend, precision);
  std::optional<Codebook>& codebook = outcome.codebook;
  if (params.codebook) {
    const QuantizedLinear& free = outcome.result.linear;
    codebook = learn_codebook(pattern_histogram(free.signs, params.codebook->vector_length),
                              *params.codebook, seed, backend);
    const auto search = backend.open_codewords(codebook->codewords, params.codebook->vector_length);
    outcome.result = quantize_linear(weight.view(), factor, params.binarize, params.codebook,
                                     search.get(), free.salient_columns, backend, precision);
  }
  return outcome;
}

/// What a quantized matrix costs, a codebook of its own included.
struct Cost {
  std::vector<LedgerLine> ledger;
  BitNumbers bits;
};

Cost cost_of(const Outcome& stored, const QuantizationParams& params) {
  PackedFormat format = packed_format(params.binarize, params.codebook);
  format.scope = CodebookScope::kLinear;
  const QuantizedLinear& linear = stored.result.linear;
  Cost cost;
  cost.ledger = linear_ledger(linear, stored.codebook ? &*stored.codebook : nullptr, format);
  const std::uint64_t weights = linear.rows * linear.cols;
  cost.bits = bit_numbers(cost.ledger, nominal_bits(format), weights, weights);
  return cost;
}

void print(const Outcome& exact, const Outcome& stored, const Cost& cost) {
  const QuantizedLinear& linear = stored.result.linear;
  std::cout << fmt::format("linear [{}, {}], {} salient columns\nledger\n", linear.rows,
                           linear.cols, linear.salient_columns.size());
  for (const LedgerLine& line : cost.ledger) {
    std::cout << fmt::format("  {:<14} {:>16}\n", line.category, line.bytes);
  }
  std::cout << fmt::format("  {:<14} {:>16}\n", "total", total_bytes(cost.ledger));
  std::cout << fmt::format("bits  nominal {:.4f}  sign {:.4f}  stored {:.4f}\n", cost.bits.nominal,
                           cost.bits.sign, cost.bits.stored);
  std::cout << fmt::format(
      "relative error tr(E H E^T) / tr(W H W^T) {:.6g}, with scales as stored (fp16) {:.6g}\n",
      exact.result.relative_error, stored.result.relative_error);
}

void write(const std::string& path, const Outcome& exact, const Outcome& stored, const Cost& cost) {
  const Matrix<float> q = dequantize(exact.result.linear);
  const Matrix<float> q_stored = dequantize(stored.result.linear);
  const auto tensor = [](const char* name, const Matrix<float>& values) {
    return TensorView{name,
                      DType::kF32,
                      {narrow<std::int64_t>(values.rows()), narrow<std::int64_t>(values.cols())},
                      std::as_bytes(std::span(values.values()))};
  };
  std::map<std::string, std::string> metadata = {
      {"nominal_bits", fmt::format("{}", cost.bits.nominal)},
      {"sign_bits", fmt::format("{}", cost.bits.sign)},
      {"stored_bits", fmt::format("{}", cost.bits.stored)},
      {"rel_output_error", fmt::format("{}", exact.result.relative_error)},
      {"rel_output_error_stored", fmt::format("{}", stored.result.relative_error)}};
  for (const LedgerLine& line : cost.ledger) {
    metadata["bytes." + line.category] = fmt::format("{}", line.bytes);
  }
  write_safetensors(path, {tensor("Q", q), tensor("Q_stored", q_stored)}, metadata);
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
  const HessianFactor factor = factor_hessian(hessian, params.binarize.damping, *backend);
  const auto at = [&](ScalePrecision precision) {
    return quantize(weight, factor, params, precision, options.seed, *backend);
  };
  const Outcome exact = at(ScalePrecision::kFp32);
  const Outcome stored = at(ScalePrecision::kFp16);
  const Cost cost = cost_of(stored, params);
  write(options.out, exact, stored, cost);
  print(exact, stored, cost);
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
  command
      ->add_option("--out", options->out,
                   "safetensors file to write: Q [n, m] with unrounded scales, Q_stored as packed")
      ->required();
  command->add_option("--backend", options->backend, "cpu (default) or reference")
      ->check(CLI::IsMember({"cpu", "reference"}));
  command->add_option("--threads", options->threads, "of the cpu backend")
      ->check(CLI::Range(1, 1024));
  command->add_option("--seed", options->seed, "of a codebook with init: random");
  command->callback([options] { run(*options); });
}

}  // namespace btc
