/// One block through binarize, codebook and encode: seconds of each part and the largest resident
/// set. Random weights with outlier columns, 8 sequences of 2048 tokens, the settings of
/// configs/llama2_7b_0.8bit.yaml.
///
/// `hessian_s` is that part of binarize (reading, forward, Hessians) run once more by itself. On
/// the device LibTorch runs there too where the program has its CUDA half.
///
/// Cases are named block/BACKEND/MODEL: cpu with two threads, cuda (device 0) with all cores for
/// what the host does. Without a device its cases are left out, with the reason.

#include <benchmark/benchmark.h>
#include <unistd.h>

#include <cstdio>
#include <filesystem>
#include <future>
#include <memory>
#include <string>
#include <thread>

#include "backend/backend.hpp"
#include "calibration/activation_store.hpp"
#include "common/allocation.hpp"
#include "common/rng.hpp"
#include "common/timer.hpp"
#include "model/block_forward.hpp"
#include "model/torch_place.hpp"
#include "pipeline/binarized_block.hpp"
#include "pipeline/encode.hpp"
#include "quant/codebook.hpp"
#include "quant/quantized_linear.hpp"

namespace btc {
namespace {

constexpr std::size_t kSequences = 8;
constexpr std::size_t kTokens = 2048;

ModelConfig llama(std::size_t hidden, std::size_t intermediate) {
  ModelConfig config;
  config.family = "llama";
  config.hidden = hidden;
  config.intermediate = intermediate;
  config.blocks = 1;
  config.head_dim = 128;
  config.heads = hidden / config.head_dim;
  config.kv_heads = config.heads;
  config.vocab_size = 32000;
  config.max_position = 4096;
  config.norm_eps = 1e-5;
  return config;
}

/// Normal values; every 64th column four times as large.
void fill(MatrixView<float> values, double scale, std::uint64_t seed) {
  Rng rng(seed);
  for (std::size_t i = 0; i < values.rows(); ++i) {
    for (std::size_t j = 0; j < values.cols(); ++j) {
      const double outlier = j % 64 == 5 ? 4 : 1;
      values(i, j) = static_cast<float>(scale * outlier * rng.normal());
    }
  }
}

BlockWeights random_block(const ModelConfig& config) {
  BlockWeights weights;
  std::vector<std::future<void>> filled;
  for (const LinearKind kind : kLinearKinds) {
    const auto [rows, cols] = linear_shape(config, kind);
    Matrix<float>& linear = weights.linear.at(index_of(kind));
    linear = Matrix<float>(rows, cols);
    filled.push_back(std::async(std::launch::async, fill, linear.view(), 0.02, index_of(kind)));
  }
  for (auto& one : filled) {
    one.get();
  }
  weights.input_norm.assign(config.hidden, 1.0F);
  weights.post_attention_norm.assign(config.hidden, 1.0F);
  return weights;
}

std::filesystem::path write_activations(const ModelConfig& config) {
  auto path = std::filesystem::temp_directory_path() /
              ("btc_block_bench_" + std::to_string(getpid()) + ".h5");
  ActivationWriter writer(path, {0, kSequences, kTokens, config.hidden, "bench"});
  for (std::size_t s = 0; s < kSequences; ++s) {
    Matrix<float> hidden(kTokens, config.hidden);
    fill(hidden.view(), 1.0, 100 + s);
    round_to_bf16(hidden.view());
    writer.write(s, hidden.view());
  }
  writer.commit();
  return path;
}

using MakeBackend = std::unique_ptr<Backend> (*)();

/// Reading, forward and Hessians of the block.
double hessian_seconds(const ModelConfig& config, const BlockWeights& weights,
                       const std::filesystem::path& path, TorchPlace place) {
  const Timer timer;
  ActivationReader inputs(path);
  mean_hessians(
      config, weights, kSharedInputs, [&] { return inputs.next(); }, kSequences, place);
  return timer.seconds();
}

void run_block(benchmark::State& state, MakeBackend make_backend, const ModelConfig& config) {
  const auto backend = make_backend();
  const bool on_device = backend->name() == "cuda" && torch_has_cuda();
  const TorchPlace place = on_device ? torch_place_of_rank(0) : TorchPlace{};
  const BlockWeights weights = random_block(config);
  const auto path = write_activations(config);
  const BinarizeParams binarize;
  std::optional<CodebookParams> params = CodebookParams{};
  params->target_bits = 0.8;
  for (auto _ : state) {
    hessian_seconds(config, weights, path, place);  // opens libraries and caches
    state.counters["hessian_s"] = hessian_seconds(config, weights, path, place);
    const Timer whole;
    ActivationReader inputs(path);
    const BinarizedBlock binarized =
        binarize_block(config, weights, {}, inputs, binarize, params, *backend, place);
    state.counters["binarize_s"] = whole.seconds();
    const Timer codebook_timer;
    std::vector<PatternHistogram> histograms;
    for (const BinarizedLinear& linear : binarized.linear) {
      histograms.push_back(linear.histograms.front());
    }
    const Codebook codebook = learn_codebook(merge_histograms(histograms), *params, 1, *backend);
    state.counters["codebook_s"] = codebook_timer.seconds();
    const Timer encode_timer;
    const auto search = backend->open_codewords(codebook.codewords, codebook.vector_length);
    const EncodedBlock encoded = encode_block(weights, {}, binarized, binarize, params,
                                              shared_codewords(search.get()), *backend, {});
    state.counters["encode_s"] = encode_timer.seconds();
    state.counters["total_s"] = whole.seconds();
    state.counters["relative_error"] = encoded.relative_error.front();
  }
  constexpr double kGibibyte = 1024.0 * 1024.0 * 1024.0;
  state.counters["peak_rss_GiB"] = static_cast<double>(peak_rss_bytes()) / kGibibyte;
  std::filesystem::remove(path);
}

void add(const std::string& name, MakeBackend make_backend, const ModelConfig& config) {
  benchmark::RegisterBenchmark(("block/" + name).c_str(), run_block, make_backend, config)
      ->Iterations(1)
      ->Unit(benchmark::kSecond)
      ->UseRealTime();
}

int cores() { return static_cast<int>(std::thread::hardware_concurrency()); }

std::unique_ptr<Backend> on_cpu() { return make_cpu_backend(cores()); }
std::unique_ptr<Backend> on_device() { return make_cuda_backend(0, cores()); }

/// Adds the cases of the device, if there is one.
void add_device_cases() {
  try {
    on_device();
  } catch (const BackendUnavailable& error) {
    std::printf("skipped block/cuda: %s\n", error.what());
    return;
  }
  add("cuda/7b", on_device, llama(4096, 11008));
  add("cuda/65b", on_device, llama(8192, 22016));
}

}  // namespace
}  // namespace btc

int main(int argc, char** argv) {
  btc::keep_freed_memory();
  benchmark::Initialize(&argc, argv);
  benchmark::AddCustomContext("threads", std::to_string(btc::cores()));
  btc::configure_torch(btc::cores());
  btc::add("cpu/7b", btc::on_cpu, btc::llama(4096, 11008));
  btc::add_device_cases();
  benchmark::RunSpecifiedBenchmarks();
  benchmark::Shutdown();
  return 0;
}
