#include <array>

#include "model/families/family.hpp"

namespace btc {

void read_qwen2(ConfigReader& reader, ModelConfig& config) {
  constexpr std::array kBiased = {LinearKind::kQ, LinearKind::kK, LinearKind::kV};
  read_common(reader, {.max_position = 32768}, config);
  set_bias(config, kBiased, true);
  require_flag(reader, "attention_bias", true);
  require_flag(reader, "qk_norm", false);
  const auto window = reader.integer("sliding_window");
  if (reader.flag("use_sliding_window").value_or(false)) {
    refuse_sliding_window(reader, window.value_or(4096), config);
  }
}

}  // namespace btc
