#include "config/preset.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <algorithm>
#include <array>
#include <set>
#include <string_view>

#include "common/error.hpp"

namespace btc {

namespace fs = std::filesystem;

namespace {

constexpr std::array<std::string_view, 4> kPresetSections = {"transform", "binarize", "codebook",
                                                             "refine"};

std::set<std::string> known_presets() {
  std::set<std::string> names;
  for (const fs::path& directory : preset_directories()) {
    std::error_code absent;
    for (const auto& entry : fs::directory_iterator(directory, absent)) {
      if (entry.path().extension() == ".yaml") {
        names.insert(entry.path().stem().string());
      }
    }
  }
  return names;
}

fs::path find_preset(const std::string& name) {
  if (name.find('/') != std::string::npos) {
    return name;
  }
  for (const fs::path& directory : preset_directories()) {
    fs::path file = directory / (name + ".yaml");
    if (fs::exists(file)) {
      return file;
    }
  }
  BTC_THROW(ConfigError, "preset '", name, "' is not known; expected the path of a file or one of ",
            fmt::format("{}", fmt::join(known_presets(), ", ")));
}

/// What `over` says wins over what `under` says.
void merge_over(YamlNode& under, const YamlNode& over) {
  if (under.kind != YamlNode::Kind::kMap || over.kind != YamlNode::Kind::kMap) {
    under = over;
    return;
  }
  for (const YamlEntry& entry : over.entries) {
    const auto same = std::ranges::find(under.entries, entry.key, &YamlEntry::key);
    if (same == under.entries.end()) {
      under.entries.push_back(entry);
    } else {
      merge_over(same->value, entry.value);
    }
  }
}

}  // namespace

std::vector<fs::path> preset_directories() {
  std::error_code unknown;
  const fs::path bin = fs::read_symlink("/proc/self/exe", unknown).parent_path();
  return {(bin / "../share/btc_pipeline/presets").lexically_normal(),
          (bin / "../../../configs/presets").lexically_normal()};
}

YamlNode load_preset(const std::string& name) {
  YamlNode preset = parse_yaml_file(find_preset(name));
  StrictMap map(preset, "");
  for (const std::string_view section : kPresetSections) {
    map.optional(section);
  }
  map.finish();
  return preset;
}

void apply_preset(YamlNode& root) {
  if (root.kind != YamlNode::Kind::kMap) {
    return;  // the reader of the root will say what is wrong
  }
  const auto key = std::ranges::find(root.entries, "preset", &YamlEntry::key);
  if (key == root.entries.end()) {
    return;
  }
  const std::string name = read_string(key->value, "preset");
  YamlNode preset;
  try {
    preset = load_preset(name);
  } catch (const ConfigError& error) {
    BTC_THROW(ConfigError, key->value.origin, ": ", error.what());
  }
  root.entries.erase(key);
  for (YamlEntry& section : preset.entries) {
    const auto own = std::ranges::find(root.entries, section.key, &YamlEntry::key);
    if (own == root.entries.end()) {
      root.entries.push_back(std::move(section));
    } else {
      merge_over(section.value, own->value);
      own->value = std::move(section.value);
    }
  }
}

}  // namespace btc
