#pragma once
/// From the tree of a configuration to checked settings: the part of `load_config` after the file
/// and its overrides.

#include "config/pipeline_config.hpp"
#include "config/strict_yaml.hpp"

namespace btc {

/// @throws ConfigError as `load_config`
PipelineConfig read_config(YamlNode root);

}  // namespace btc
