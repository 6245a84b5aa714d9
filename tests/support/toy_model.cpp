#include "support/toy_model.hpp"

#include <algorithm>
#include <cmath>
#include <map>
#include <nlohmann/json.hpp>
#include <string_view>
#include <vector>

#include "calibration/tokens.hpp"
#include "common/error.hpp"
#include "common/half.hpp"
#include "common/matrix.hpp"
#include "common/rng.hpp"
#include "io/atomic_file.hpp"

namespace btc::test {

namespace fs = std::filesystem;
using nlohmann::json;

namespace {

std::string config_text(const ToyModel& toy) {
  static const std::map<std::string, std::string> kArchitectures = {
      {"llama", "LlamaForCausalLM"}, {"qwen2", "Qwen2ForCausalLM"}, {"qwen3", "Qwen3ForCausalLM"}};
  static const std::map<DType, std::string> kDTypes = {
      {DType::kBf16, "bfloat16"}, {DType::kF16, "float16"}, {DType::kF32, "float32"}};
  const json config = {{"model_type", toy.family},
                       {"architectures", {kArchitectures.at(toy.family)}},
                       {"hidden_size", toy.hidden},
                       {"intermediate_size", toy.intermediate},
                       {"num_hidden_layers", toy.blocks},
                       {"num_attention_heads", toy.heads},
                       {"num_key_value_heads", toy.kv_heads},
                       {"head_dim", toy.head_dim},
                       {"vocab_size", toy.vocab_size},
                       {"max_position_embeddings", toy.max_position},
                       {"tie_word_embeddings", toy.tied_head},
                       {"bos_token_id", 1},
                       {"rms_norm_eps", 1e-5},
                       {"rope_theta", 10000.0},
                       {"hidden_act", "silu"},
                       {"use_sliding_window", false},
                       {"torch_dtype", kDTypes.at(toy.dtype)}};
  return config.dump(2) + "\n";
}

/// A matrix keeps the size of its input; every 11th input column counts four times. Vectors are
/// norms (near 1) and biases (small).
std::vector<float> values_of(const ExpectedTensor& tensor, Rng& rng) {
  constexpr std::size_t kStrongEvery = 11;
  constexpr double kStrength = 4;
  constexpr double kSmall = 0.1;
  const auto rows = static_cast<std::size_t>(tensor.shape.front());
  if (tensor.shape.size() == 1) {
    const bool centred = tensor.name.ends_with(".bias") || tensor.name.ends_with(".wbias");
    const double base = centred ? 0 : tensor.name.ends_with(".wscale") ? 0.2 : 1;
    std::vector<float> values(rows);
    for (float& value : values) {
      value = static_cast<float>(base + kSmall * rng.normal());
    }
    return values;
  }
  const auto cols = static_cast<std::size_t>(tensor.shape.back());
  const bool table = !tensor.name.starts_with("model.layers.");
  const double size = (table ? 2 : 1) / std::sqrt(static_cast<double>(cols));
  std::vector<float> values(rows * cols);
  for (std::size_t i = 0; i < values.size(); ++i) {
    const bool strong = !table && i % cols % kStrongEvery == 0;
    values[i] = static_cast<float>(size * (strong ? kStrength : 1) * rng.normal());
  }
  return values;
}

/// Column scales and means of a binary model, beside the weights of the blocks.
void add_column_tensors(const ModelConfig& config, std::vector<ExpectedTensor>& expected) {
  for (int block = 0; block < config.blocks; ++block) {
    for (const LinearKind kind : kLinearKinds) {
      const auto columns = narrow<std::int64_t>(linear_shape(config, kind)[1]);
      expected.push_back({linear_name(block, kind) + ".wscale", {columns}});
      expected.push_back({linear_name(block, kind) + ".wbias", {columns}});
    }
  }
}

std::vector<std::byte> stored(const std::vector<float>& values, DType dtype) {
  if (dtype == DType::kF32) {
    const auto bytes = std::as_bytes(std::span(values));
    return {bytes.begin(), bytes.end()};
  }
  BTC_CHECK(dtype == DType::kBf16 || dtype == DType::kF16, "expected a float type");
  std::vector<std::uint16_t> bits;
  bits.reserve(values.size());
  for (const float value : values) {
    bits.push_back(dtype == DType::kBf16 ? float_to_bf16(value) : float_to_fp16(value));
  }
  const auto bytes = std::as_bytes(std::span(bits));
  return {bytes.begin(), bytes.end()};
}

/// Tensors dealt over the files in turn, as an index allows.
void write_weights(const fs::path& directory, const std::vector<TensorView>& tensors,
                   std::size_t shards) {
  if (shards == 1) {
    write_safetensors(directory / "model.safetensors", tensors, {{"format", "pt"}});
    return;
  }
  std::vector<std::vector<TensorView>> parts(shards);
  json index = {{"metadata", {{"total_size", 0}}}, {"weight_map", json::object()}};
  const auto name_of_shard = [&](std::size_t shard) {
    return concat("model-", shard + 1, "-of-", shards, ".safetensors");
  };
  std::size_t total = 0;
  for (std::size_t i = 0; i < tensors.size(); ++i) {
    parts[i % shards].push_back(tensors[i]);
    index["weight_map"][tensors[i].name] = name_of_shard(i % shards);
    total += tensors[i].bytes.size();
  }
  index["metadata"]["total_size"] = total;
  for (std::size_t shard = 0; shard < shards; ++shard) {
    write_safetensors(directory / name_of_shard(shard), parts[shard], {{"format", "pt"}});
  }
  write_text_file(directory / "model.safetensors.index.json", index.dump(2) + "\n");
}

std::vector<std::int32_t> random_ids(std::size_t count, std::size_t vocab_size,
                                     std::uint64_t seed) {
  Rng rng(derive_seed(seed, "toy ids", 0));
  std::vector<std::int32_t> ids(count);
  for (std::int32_t& id : ids) {
    id = static_cast<std::int32_t>(rng.below(vocab_size));
  }
  return ids;
}

}  // namespace

ModelConfig write_toy_model(const fs::path& directory, const ToyModel& toy) {
  fs::create_directories(directory);
  const std::string text = config_text(toy);
  write_text_file(directory / "config.json", text);
  ModelConfig config = parse_model_config(text, "toy");
  std::vector<ExpectedTensor> expected = outer_tensors(config);
  for (int block = 0; block < config.blocks; ++block) {
    const auto own = block_tensors(config, block);
    expected.insert(expected.end(), own.begin(), own.end());
  }
  if (toy.binary) {
    add_column_tensors(config, expected);
  }
  Rng rng(derive_seed(toy.seed, "toy weights", 0));
  std::vector<std::vector<std::byte>> bytes;
  for (const ExpectedTensor& tensor : expected) {
    bytes.push_back(stored(values_of(tensor, rng), toy.dtype));
  }
  std::vector<TensorView> tensors;
  for (std::size_t i = 0; i < expected.size(); ++i) {
    tensors.push_back({.name = expected[i].name,
                       .dtype = toy.dtype,
                       .shape = expected[i].shape,
                       .bytes = bytes[i]});
  }
  write_weights(directory, tensors, toy.shards);
  return config;
}

void write_toy_sequences(const fs::path& path, std::size_t vocab_size, std::size_t sequences,
                         std::size_t tokens, std::uint64_t seed) {
  Matrix<std::int32_t> ids(sequences, tokens);
  const auto values = random_ids(ids.size(), vocab_size, seed);
  std::copy(values.begin(), values.end(), ids.values().begin());
  write_sequences(path, ids, vocab_size, "random");
}

void write_toy_text(const fs::path& path, std::size_t vocab_size, std::size_t tokens,
                    std::uint64_t seed) {
  TokenizedText text;
  text.ids = random_ids(tokens, vocab_size, seed);
  text.join = "verbatim";
  text.vocab_size = vocab_size;
  write_token_file(path, text);
}

}  // namespace btc::test
