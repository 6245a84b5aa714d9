#include <algorithm>
#include <array>
#include <string>

#include "common/error.hpp"
#include "common/matrix.hpp"
#include "model/families/family.hpp"

namespace btc {

namespace {

/// Fields of other models that change the mathematics; fine only while absent, null, false, 0 or
/// empty.
constexpr std::array<std::string_view, 27> kRefused = {"num_experts",
                                                       "num_local_experts",
                                                       "n_routed_experts",
                                                       "n_shared_experts",
                                                       "num_experts_per_tok",
                                                       "moe_intermediate_size",
                                                       "shared_expert_intermediate_size",
                                                       "quantization_config",
                                                       "is_encoder_decoder",
                                                       "add_cross_attention",
                                                       "attn_logit_softcapping",
                                                       "final_logit_softcapping",
                                                       "query_pre_attn_scalar",
                                                       "embedding_multiplier",
                                                       "residual_multiplier",
                                                       "attention_multiplier",
                                                       "logits_scaling",
                                                       "logit_scale",
                                                       "clip_qkv",
                                                       "alibi",
                                                       "rope_adjustments",
                                                       "use_parallel_residual",
                                                       "no_rope_layers",
                                                       "attention_chunk_size",
                                                       "kv_lora_rank",
                                                       "q_lora_rank",
                                                       "sparse_attention"};

/// The group of rotary fields: `rope_parameters` in newer files, `rope_scaling` in older ones.
std::string rope_group(const ConfigReader& reader) {
  return reader.has("rope_parameters") ? "rope_parameters" : "rope_scaling";
}

std::string rope_type(ConfigReader& reader, const std::string& group) {
  const std::string field = group + (reader.has(group + ".rope_type") ? ".rope_type" : ".type");
  return reader.text(field).value_or("default");
}

void read_llama3_rope(ConfigReader& reader, const std::string& group, ModelConfig& config) {
  Llama3Rope rope;
  rope.factor = reader.positive(group + ".factor");
  rope.low_freq_factor = reader.positive(group + ".low_freq_factor");
  rope.high_freq_factor = reader.positive(group + ".high_freq_factor");
  rope.original_max_position = reader.positive(group + ".original_max_position_embeddings");
  if (reader.clean() && rope.high_freq_factor <= rope.low_freq_factor) {
    reader.add_problem(concat(group, ": expected low_freq_factor < high_freq_factor, found ",
                              rope.low_freq_factor, " and ", rope.high_freq_factor));
  }
  config.llama3_rope = rope;
}

void read_rope(ConfigReader& reader, ModelConfig& config) {
  const std::string group = rope_group(reader);
  const std::string inner_theta = group + ".rope_theta";
  const bool inner = reader.has(inner_theta);
  config.rope_theta = reader.positive(inner ? inner_theta : "rope_theta", 10000.0);
  for (const std::string& field :
       {std::string("partial_rotary_factor"), group + ".partial_rotary_factor"}) {
    if (reader.number(field).value_or(1.0) != 1.0) {
      reader.add_problem(concat(field, " ", reader.shown(field),
                                ": not supported, the rotary embedding covers the whole head"));
    }
  }
  const std::string type = rope_type(reader, group);
  if (type == "llama3") {
    read_llama3_rope(reader, group, config);
  } else if (type != "default") {
    reader.add_problem(
        concat(group, " of type '", type, "': not supported, expected llama3 or none"));
  }
}

void check_sizes(ConfigReader& reader, const ModelConfig& config, bool head_dim_given) {
  // The names of all tensors are listed before one is looked for.
  constexpr int kMostBlocks = 10'000;
  if (config.blocks > kMostBlocks) {
    reader.add_problem(
        concat("num_hidden_layers ", config.blocks, ": expected at most ", kMostBlocks));
  }
  if (config.heads == 0 || config.kv_heads == 0 || config.hidden == 0) {
    return;  // reported already
  }
  if (config.heads % config.kv_heads != 0) {
    reader.add_problem(concat("num_key_value_heads ", config.kv_heads,
                              ": expected a divisor of num_attention_heads ", config.heads));
  }
  if (!head_dim_given && config.hidden % config.heads != 0) {
    reader.add_problem(concat("num_attention_heads ", config.heads,
                              ": expected a divisor of hidden_size ", config.hidden,
                              " where head_dim is absent"));
  } else if (config.head_dim % 2 != 0) {
    reader.add_problem(concat("head_dim ", config.head_dim, ": expected an even number"));
  }
}

std::optional<std::int32_t> read_bos(ConfigReader& reader, const FamilyDefaults& defaults,
                                     const ModelConfig& config) {
  const auto value = reader.integer("bos_token_id");
  if (!value) {  // an explicit null says that there is none
    return reader.states_null("bos_token_id") ? std::nullopt : defaults.bos_id;
  }
  if (config.vocab_size > 0 && *value >= config.vocab_size) {
    reader.add_problem(
        concat("bos_token_id ", *value, ": expected an id below vocab_size ", config.vocab_size));
    return std::nullopt;
  }
  return narrow<std::int32_t>(*value);
}

void refuse_other_mathematics(ConfigReader& reader) {
  const std::string activation = reader.text("hidden_act").value_or("silu");
  if (activation != "silu" && activation != "swish") {
    reader.add_problem(concat("hidden_act '", activation, "': not supported, expected silu"));
  }
  for (const std::string_view field : kRefused) {
    if (!reader.neutral(field)) {
      reader.add_problem(concat(field, " ", reader.shown(field), ": not supported"));
    }
  }
  const auto layer_types = reader.texts("layer_types");
  if (layer_types && std::any_of(layer_types->begin(), layer_types->end(),
                                 [](const auto& type) { return type != "full_attention"; })) {
    reader.add_problem("layer_types: only full_attention is supported, found " +
                       reader.shown("layer_types"));
  }
}

}  // namespace

void read_common(ConfigReader& reader, const FamilyDefaults& defaults, ModelConfig& config) {
  config.hidden = reader.size("hidden_size");
  config.intermediate = reader.size("intermediate_size");
  config.blocks = narrow<int>(reader.size("num_hidden_layers"));
  config.heads = reader.size("num_attention_heads");
  config.vocab_size = reader.size("vocab_size");
  config.kv_heads = reader.size("num_key_value_heads", defaults.kv_heads.value_or(config.heads));
  const bool head_dim_given = reader.has("head_dim") || defaults.head_dim.has_value();
  const std::size_t quotient = config.heads == 0 ? 0 : config.hidden / config.heads;
  config.head_dim = reader.size("head_dim", defaults.head_dim.value_or(quotient));
  config.max_position = reader.size("max_position_embeddings", defaults.max_position);
  config.norm_eps = reader.positive("rms_norm_eps", 1e-6);
  config.tied_head = reader.flag("tie_word_embeddings").value_or(false);
  config.bos_id = read_bos(reader, defaults, config);
  config.dtype = reader.text(reader.has("dtype") ? "dtype" : "torch_dtype").value_or("");
  read_rope(reader, config);
  check_sizes(reader, config, head_dim_given);
  refuse_other_mathematics(reader);
}

void refuse_sliding_window(ConfigReader& reader, std::optional<std::uint64_t> window,
                           const ModelConfig& config) {
  if (window && *window < config.max_position) {
    reader.add_problem(concat("sliding_window ", *window,
                              reader.has("sliding_window") ? "" : " (the family's default)",
                              ": in use, because max_position_embeddings is ", config.max_position,
                              "; not supported, expected null"));
  }
}

void set_bias(ModelConfig& config, std::span<const LinearKind> kinds, bool value) {
  for (const LinearKind kind : kinds) {
    config.bias.at(index_of(kind)) = value;
  }
}

void require_flag(ConfigReader& reader, std::string_view field, bool expected) {
  if (reader.flag(field).value_or(expected) != expected) {
    reader.add_problem(concat(field, " ", reader.shown(field), ": not supported, a ",
                              reader.text("model_type").value_or(""), " model has ",
                              expected ? "true" : "false"));
  }
}

}  // namespace btc
