#include <array>

#include "model/families/family.hpp"

namespace btc {

void read_qwen3(ConfigReader& reader, ModelConfig& config) {
  constexpr std::array kBiased = {LinearKind::kQ, LinearKind::kK, LinearKind::kV, LinearKind::kO};
  read_common(reader, {.head_dim = 128, .max_position = 32768}, config);
  config.qk_norm = true;
  set_bias(config, kBiased, reader.flag("attention_bias").value_or(false));
  require_flag(reader, "qk_norm", true);
  const auto window = reader.integer("sliding_window");
  if (reader.flag("use_sliding_window").value_or(false)) {
    refuse_sliding_window(reader, window.value_or(4096), config);
  }
}

}  // namespace btc
