#pragma once
/// What `config.json` of a Hugging Face directory says, checked.

#include <array>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/ids.hpp"

namespace btc {

/// `rope_scaling` of type llama3.
struct Llama3Rope {
  double factor = 1;
  double low_freq_factor = 1;
  double high_freq_factor = 1;
  double original_max_position = 0;
};

/// A decoder-only transformer: RMSNorm, rotary attention with grouped keys, gated SiLU MLP.
struct ModelConfig {
  std::string family;  ///< `model_type`: `llama`, `mistral`, `qwen2`, `qwen3`
  std::size_t hidden = 0;
  std::size_t intermediate = 0;
  int blocks = 0;
  std::size_t heads = 0;
  std::size_t kv_heads = 0;
  std::size_t head_dim = 0;
  std::size_t vocab_size = 0;
  std::size_t max_position = 0;
  double norm_eps = 1e-6;
  double rope_theta = 10000;
  std::optional<Llama3Rope> llama3_rope;
  bool tied_head = false;
  bool qk_norm = false;
  std::array<bool, kLinearKinds.size()> bias{};  ///< by index_of(LinearKind)
  std::optional<std::int32_t> bos_id;
  std::string dtype;          ///< `bfloat16`, ... as the file says; informative
  std::string source_sha256;  ///< of config.json
};

/// [n, m] of a Linear.
std::array<std::size_t, 2> linear_shape(const ModelConfig& config, LinearKind kind);
/// m of the Linears behind this input.
std::size_t input_width(const ModelConfig& config, SharedInput input);
/// The same of all inputs, by index_of(SharedInput).
std::array<std::size_t, kSharedInputs.size()> input_widths(const ModelConfig& config);
/// Parameters of the whole model, a tied head once; and of all Linears of all blocks.
std::uint64_t parameter_count(const ModelConfig& config);
std::uint64_t linear_weight_count(const ModelConfig& config);

/// A tensor a checkpoint of this configuration must have.
struct ExpectedTensor {
  std::string name;
  std::vector<std::int64_t> shape;
};
/// Tensors of one block / outside the blocks (embedding, final norm, head unless tied).
std::vector<ExpectedTensor> block_tensors(const ModelConfig& config, int block);
std::vector<ExpectedTensor> outer_tensors(const ModelConfig& config);

/// Reads DIR/config.json. Every problem found goes into one message.
/// @throws InputError (unsupported family or field, missing or wrong field), IoError
ModelConfig load_model_config(const std::filesystem::path& directory);
/// The same from the text of a config.json; `origin` names it in errors.
ModelConfig parse_model_config(std::string_view json, std::string_view origin);

}  // namespace btc
