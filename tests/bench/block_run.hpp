#pragma once
/// One block through binarize, codebook and encode. Random weights with outlier columns, 8
/// sequences of 2048 tokens, the settings of configs/llama2_7b_0.8bit.yaml.

#include <unistd.h>

#include <filesystem>
#include <functional>
#include <future>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "backend/backend.hpp"
#include "calibration/activation_store.hpp"
#include "common/error.hpp"
#include "common/hash.hpp"
#include "common/rng.hpp"
#include "common/timer.hpp"
#include "model/block_forward.hpp"
#include "model/torch_place.hpp"
#include "pipeline/binarized_block.hpp"
#include "pipeline/encode.hpp"
#include "quant/codebook.hpp"
#include "quant/quantized_linear.hpp"

namespace btc::bench {

inline constexpr std::size_t kSequences = 8;
inline constexpr std::size_t kTokens = 2048;

inline ModelConfig llama(std::size_t hidden, std::size_t intermediate) {
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
inline void fill(MatrixView<float> values, double scale, std::uint64_t seed) {
  Rng rng(seed);
  for (std::size_t i = 0; i < values.rows(); ++i) {
    for (std::size_t j = 0; j < values.cols(); ++j) {
      const double outlier = j % 64 == 5 ? 4 : 1;
      values(i, j) = static_cast<float>(scale * outlier * rng.normal());
    }
  }
}

inline BlockWeights random_block(const ModelConfig& config) {
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

inline std::filesystem::path write_activations(const ModelConfig& config) {
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

/// A block and its inputs, and what its parts leave for the next one.
class BlockRun {
 public:
  BlockRun(const ModelConfig& config, Backend& backend, TorchPlace place)
      : config_(config),
        backend_(backend),
        place_(place),
        weights_(random_block(config)),
        path_(write_activations(config)) {
    params_->target_bits = 0.8;
  }
  ~BlockRun() { std::filesystem::remove(path_); }
  BlockRun(const BlockRun&) = delete;
  BlockRun& operator=(const BlockRun&) = delete;

  /// The part of `binarize` that reads, runs the block forward and sums Hessians.
  void sum_hessians() const {
    ActivationReader inputs(path_);
    mean_hessians(config_, weights_, kSharedInputs, inputs, place_);
  }
  void binarize() {
    ActivationReader inputs(path_);
    binarized_ =
        binarize_block(config_, weights_, {}, inputs, BinarizeParams{}, params_, backend_, place_);
  }
  /// What `binarize` left through its file, hashed on both ways as between the two stages.
  void pass_file() {
    const auto path = std::filesystem::path(path_).replace_extension(".binarized.h5");
    write_binarized(path, binarized_, "bench");
    const std::string written = sha256_file(path);
    binarized_ = read_binarized(path);
    BTC_CHECK(sha256_file(path) == written, path.string(), " changed");
    std::filesystem::remove(path);
  }
  void learn() {
    std::vector<PatternHistogram> histograms;
    for (const BinarizedLinear& linear : binarized_.linear) {
      histograms.push_back(linear.histograms.front());
    }
    codebook_ = learn_codebook(merge_histograms(histograms), *params_, 1, backend_);
  }
  /// Uses up the weights and what `binarize` left. @return relative error of the first Linear
  double encode() {
    const auto search = backend_.open_codewords(codebook_.codewords, codebook_.vector_length);
    const EncodedBlock encoded =
        encode_block(std::move(weights_), {}, std::move(binarized_), BinarizeParams{}, params_,
                     shared_codewords(search.get()), backend_, {});
    return encoded.relative_error.front();
  }

 private:
  ModelConfig config_;
  Backend& backend_;
  TorchPlace place_;
  BlockWeights weights_;
  std::filesystem::path path_;
  std::optional<CodebookParams> params_ = CodebookParams{};
  BinarizedBlock binarized_;
  Codebook codebook_;
};

}  // namespace btc::bench
