#pragma once
/// What differs between model families: how config.json is read. The mathematics and the tensor
/// names follow from ModelConfig alone.

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

#include "model/config_reader.hpp"
#include "model/model_config.hpp"

namespace btc {

/// One supported value of `model_type`.
struct Family {
  std::string_view model_type;
  std::string_view architecture;  ///< what `architectures` may name
  void (*read)(ConfigReader& reader, ModelConfig& config);
};

/// All supported families. Add a family here.
std::span<const Family> families();

/// Values that hold where a file is silent: those of the family's class in `transformers`.
struct FamilyDefaults {
  std::optional<std::size_t> kv_heads = {};  ///< nullopt: as many as heads
  std::optional<std::size_t> head_dim = {};  ///< nullopt: hidden / heads
  std::size_t max_position = 0;
  std::optional<std::int32_t> bos_id = {};
};

/// Sizes, norm, rotary embedding, head and special ids: the fields that every family has. Refuses
/// by name every field that would change the mathematics and is not neutral.
void read_common(ConfigReader& reader, const FamilyDefaults& defaults, ModelConfig& config);
/// A problem if attention is limited to a window shorter than the positions of the model.
/// @param window the field's value, or what the family takes if it is absent; nullopt: none
void refuse_sliding_window(ConfigReader& reader, std::optional<std::uint64_t> window,
                           const ModelConfig& config);
/// Sets the bias of the Linears `kinds`.
void set_bias(ModelConfig& config, std::span<const LinearKind> kinds, bool value);
/// A problem if the file states another value than the family always has.
void require_flag(ConfigReader& reader, std::string_view field, bool expected);

void read_llama(ConfigReader& reader, ModelConfig& config);
void read_mistral(ConfigReader& reader, ModelConfig& config);
void read_qwen2(ConfigReader& reader, ModelConfig& config);
void read_qwen3(ConfigReader& reader, ModelConfig& config);

}  // namespace btc
