#include <array>

#include "model/families/family.hpp"

namespace btc {

std::span<const Family> families() {
  static constexpr std::array<Family, 4> kFamilies = {{
      {"llama", "LlamaForCausalLM", &read_llama},
      {"mistral", "MistralForCausalLM", &read_mistral},
      {"qwen2", "Qwen2ForCausalLM", &read_qwen2},
      {"qwen3", "Qwen3ForCausalLM", &read_qwen3},
  }};
  return kFamilies;
}

}  // namespace btc
