#include "common/ids.hpp"

#include "common/error.hpp"

namespace btc {

namespace {
constexpr std::array<std::string_view, 7> kLinearNames = {
    "q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"};
constexpr std::array<std::string_view, 4> kInputNames = {"qkv", "o", "gate_up", "down"};
}  // namespace

std::string_view name_of(LinearKind kind) { return kLinearNames.at(index_of(kind)); }

std::string_view name_of(SharedInput input) { return kInputNames.at(index_of(input)); }

SharedInput input_of(LinearKind kind) {
  switch (kind) {
    case LinearKind::kQ:
    case LinearKind::kK:
    case LinearKind::kV:
      return SharedInput::kQkv;
    case LinearKind::kO:
      return SharedInput::kO;
    case LinearKind::kGate:
    case LinearKind::kUp:
      return SharedInput::kGateUp;
    case LinearKind::kDown:
      return SharedInput::kDown;
  }
  BTC_THROW(Error, "unknown LinearKind");
}

std::string linear_name(int block, LinearKind kind) {
  const bool attention = index_of(kind) <= index_of(LinearKind::kO);
  return concat("model.layers.", block, attention ? ".self_attn." : ".mlp.", name_of(kind));
}

std::string block_stem(int block) {
  std::string digits = std::to_string(block);
  digits.insert(0, digits.size() < 5 ? 5 - digits.size() : 0, '0');
  return "block-" + digits;
}

}  // namespace btc
