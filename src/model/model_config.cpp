#include "model/model_config.hpp"

#include <algorithm>

#include "common/error.hpp"
#include "common/hash.hpp"
#include "common/matrix.hpp"
#include "io/atomic_file.hpp"
#include "model/config_reader.hpp"
#include "model/families/family.hpp"

namespace btc {

namespace {

std::int64_t extent(std::size_t value) { return narrow<std::int64_t>(value); }

std::string supported_families() {
  std::string list;
  for (const Family& family : families()) {
    list += (list.empty() ? "" : ", ") + std::string(family.model_type);
  }
  return list;
}

/// The family named by `model_type`; adds a problem and gives nullptr if there is none.
const Family* find_family(ConfigReader& reader) {
  const auto type = reader.text("model_type");
  const auto known = families();
  const auto it = std::find_if(known.begin(), known.end(),
                               [&](const Family& family) { return family.model_type == type; });
  if (it == known.end()) {
    reader.add_problem(concat("model_type ", reader.shown("model_type"),
                              ": not supported, expected one of ", supported_families()));
    return nullptr;
  }
  return &*it;
}

void check_architecture(ConfigReader& reader, const Family& family) {
  const auto names = reader.texts("architectures");
  if (names && !names->empty() &&
      std::find(names->begin(), names->end(), family.architecture) == names->end()) {
    reader.add_problem(concat("architectures ", reader.shown("architectures"), ": expected ",
                              family.architecture));
  }
}

std::uint64_t element_count(const std::vector<ExpectedTensor>& tensors) {
  std::uint64_t total = 0;
  for (const ExpectedTensor& tensor : tensors) {
    std::uint64_t count = 1;
    for (const std::int64_t size : tensor.shape) {
      count *= narrow<std::uint64_t>(size);
    }
    total += count;
  }
  return total;
}

}  // namespace

std::array<std::size_t, 2> linear_shape(const ModelConfig& config, LinearKind kind) {
  const std::size_t queries = config.heads * config.head_dim;
  const std::size_t keys = config.kv_heads * config.head_dim;
  switch (kind) {
    case LinearKind::kQ:
      return {queries, config.hidden};
    case LinearKind::kK:
    case LinearKind::kV:
      return {keys, config.hidden};
    case LinearKind::kO:
      return {config.hidden, queries};
    case LinearKind::kGate:
    case LinearKind::kUp:
      return {config.intermediate, config.hidden};
    case LinearKind::kDown:
      return {config.hidden, config.intermediate};
  }
  BTC_THROW(Error, "unknown LinearKind");
}

std::size_t input_width(const ModelConfig& config, SharedInput input) {
  switch (input) {
    case SharedInput::kQkv:
    case SharedInput::kGateUp:
      return config.hidden;
    case SharedInput::kO:
      return config.heads * config.head_dim;
    case SharedInput::kDown:
      return config.intermediate;
  }
  BTC_THROW(Error, "unknown SharedInput");
}

std::array<std::size_t, kSharedInputs.size()> input_widths(const ModelConfig& config) {
  std::array<std::size_t, kSharedInputs.size()> widths{};
  for (const SharedInput input : kSharedInputs) {
    widths.at(index_of(input)) = input_width(config, input);
  }
  return widths;
}

std::uint64_t linear_weight_count(const ModelConfig& config) {
  std::uint64_t per_block = 0;
  for (const LinearKind kind : kLinearKinds) {
    const auto [n, m] = linear_shape(config, kind);
    per_block += std::uint64_t{n} * m;
  }
  return per_block * narrow<std::uint64_t>(config.blocks);
}

std::uint64_t parameter_count(const ModelConfig& config) {
  return element_count(block_tensors(config, 0)) * narrow<std::uint64_t>(config.blocks) +
         element_count(outer_tensors(config));
}

std::vector<ExpectedTensor> block_tensors(const ModelConfig& config, int block) {
  const std::string prefix = concat("model.layers.", block, ".");
  std::vector<ExpectedTensor> tensors;
  for (const LinearKind kind : kLinearKinds) {
    const auto [n, m] = linear_shape(config, kind);
    tensors.push_back({linear_name(block, kind) + ".weight", {extent(n), extent(m)}});
    if (config.bias.at(index_of(kind))) {
      tensors.push_back({linear_name(block, kind) + ".bias", {extent(n)}});
    }
  }
  tensors.push_back({prefix + "input_layernorm.weight", {extent(config.hidden)}});
  tensors.push_back({prefix + "post_attention_layernorm.weight", {extent(config.hidden)}});
  if (config.qk_norm) {
    tensors.push_back({prefix + "self_attn.q_norm.weight", {extent(config.head_dim)}});
    tensors.push_back({prefix + "self_attn.k_norm.weight", {extent(config.head_dim)}});
  }
  return tensors;
}

std::vector<ExpectedTensor> outer_tensors(const ModelConfig& config) {
  const std::vector<std::int64_t> table = {extent(config.vocab_size), extent(config.hidden)};
  std::vector<ExpectedTensor> tensors = {{"model.embed_tokens.weight", table},
                                         {"model.norm.weight", {extent(config.hidden)}}};
  if (!config.tied_head) {
    tensors.push_back({"lm_head.weight", table});
  }
  return tensors;
}

ModelConfig parse_model_config(std::string_view json, std::string_view origin) {
  ConfigReader reader(json, origin);
  ModelConfig config;
  config.source_sha256 = sha256_hex(json);
  if (const Family* family = find_family(reader)) {
    config.family = family->model_type;
    check_architecture(reader, *family);
    family->read(reader, config);
  }
  reader.throw_if_problems();
  return config;
}

ModelConfig load_model_config(const std::filesystem::path& directory) {
  const std::filesystem::path path = directory / "config.json";
  BTC_REQUIRE(InputError, std::filesystem::is_regular_file(path), path.string(),
              ": not found; expected the directory of a Hugging Face model");
  return parse_model_config(read_text_file(path), path.string());
}

}  // namespace btc
