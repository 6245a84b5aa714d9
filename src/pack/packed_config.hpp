#pragma once
/// `config.json` of a packed model: the source's, with `quantization_config` added.

#include <string>
#include <string_view>

#include "pack/ledger.hpp"
#include "pack/packed_block.hpp"

namespace btc {

/// What a packed model's config.json says.
struct PackedConfig {
  PackedFormat format;
  BitNumbers bits;
  std::string source;  ///< the config.json without `quantization_config`
};

/// @param source_config text of the source's config.json; its fields keep their order
/// @throws InputError if it is no JSON object or describes an already quantized model
std::string add_quantization_config(const std::string& source_config, std::string_view origin,
                                    const PackedFormat& format, const BitNumbers& bits,
                                    bool tied_head);

/// Whether a config.json is that of a packed model, of any version, whatever else is wrong with it.
bool describes_packed_model(const std::string& config_text);

/// @throws FormatError for an absent, unknown or contradictory key, another method or major version
PackedConfig read_packed_config(const std::string& text, std::string_view origin);

/// `source_config` as the config.json of dense weights of this type, `float32`, `float16` or
/// `bfloat16`. Rotary fields are there under their older names too.
std::string dense_config(const std::string& source_config, std::string_view dtype);

}  // namespace btc
