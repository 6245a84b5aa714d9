#pragma once
/// Tiny random models as Hugging Face directories, and random token files for them.

#include <cstdint>
#include <filesystem>
#include <string>

#include "io/safetensors.hpp"
#include "model/model_config.hpp"

namespace btc::test {

struct ToyModel {
  std::string family = "llama";  ///< `llama`, `qwen2` (with q/k/v bias), `qwen3` (with q/k norm)
  std::size_t hidden = 32;
  std::size_t intermediate = 64;
  int blocks = 2;
  std::size_t heads = 4;
  std::size_t kv_heads = 2;
  std::size_t head_dim = 8;  ///< may differ from hidden / heads
  std::size_t vocab_size = 64;
  std::size_t max_position = 64;
  bool tied_head = false;
  DType dtype = DType::kBf16;  ///< kBf16, kF16 or kF32
  bool binary = false;         ///< Linears are latent weights with `wscale` and `wbias`
  std::size_t shards = 1;      ///< more than one: an index and its files
  std::uint64_t seed = 1;
};

/// Writes config.json and the weights: normal, with a few strong input columns in each Linear, so
/// that there is something salient.
/// @return the configuration as the program reads it
ModelConfig write_toy_model(const std::filesystem::path& directory, const ToyModel& toy);

/// Token file with `sequences` random sequences of `tokens` ids.
void write_toy_sequences(const std::filesystem::path& path, std::size_t vocab_size,
                         std::size_t sequences, std::size_t tokens, std::uint64_t seed);
/// Token file with one random text of `tokens` ids.
void write_toy_text(const std::filesystem::path& path, std::size_t vocab_size, std::size_t tokens,
                    std::uint64_t seed);

}  // namespace btc::test
