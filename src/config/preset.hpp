#pragma once
/// Presets: named sets of quantization keys, one file `NAME.yaml` each, for the key `preset`.

#include <filesystem>
#include <string>
#include <vector>

#include "config/strict_yaml.hpp"

namespace btc {

/// Where names are looked up, in this order: `share/btc_pipeline/presets` of the installation that
/// the running program belongs to, `configs/presets` of the source tree that it was built in.
std::vector<std::filesystem::path> preset_directories();

/// The mapping of the preset `name`: a name without `/`, or the path of a file.
/// @throws ConfigError listing the known names; or if the file holds other keys than the sections
///         that say how a model is quantized
YamlNode load_preset(const std::string& name);

/// Takes the key `preset` out of the tree and puts the preset's keys under the others: what the
/// tree says itself wins, key by key; a section that is `none` on either side is replaced whole.
/// @throws ConfigError as `load_preset`, beginning with the origin of the key
void apply_preset(YamlNode& root);

}  // namespace btc
