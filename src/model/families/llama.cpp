#include <array>

#include "model/families/family.hpp"

namespace btc {

namespace {
constexpr std::array kAttention = {LinearKind::kQ, LinearKind::kK, LinearKind::kV, LinearKind::kO};
constexpr std::array kMlp = {LinearKind::kGate, LinearKind::kUp, LinearKind::kDown};
}  // namespace

void read_llama(ConfigReader& reader, ModelConfig& config) {
  read_common(reader, {.max_position = 2048, .bos_id = 1}, config);
  set_bias(config, kAttention, reader.flag("attention_bias").value_or(false));
  set_bias(config, kMlp, reader.flag("mlp_bias").value_or(false));
  require_flag(reader, "qk_norm", false);
  refuse_sliding_window(reader, reader.integer("sliding_window"), config);
}

void read_mistral(ConfigReader& reader, ModelConfig& config) {
  read_common(reader, {.kv_heads = 8, .max_position = 131072, .bos_id = 1}, config);
  require_flag(reader, "attention_bias", false);
  require_flag(reader, "mlp_bias", false);
  require_flag(reader, "qk_norm", false);
  auto window = reader.integer("sliding_window");
  if (!window && !reader.states_null("sliding_window")) {
    window = 4096;
  }
  refuse_sliding_window(reader, window, config);
}

}  // namespace btc
