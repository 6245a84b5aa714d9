#include "config/sweep.hpp"

#include <fmt/format.h>
#include <cctype>
#include <set>
#include <utility>

#include "common/error.hpp"
#include "config/read_config.hpp"
#include "config/strict_yaml.hpp"

namespace btc {

namespace fs = std::filesystem;

namespace {

/// Keys that one run changes, in order, as overrides `a.b=VALUE`.
struct Change {
  std::string label;
  std::string paper;
  std::vector<std::string> overrides;
};

/// `a.b: value` pairs as overrides.
std::vector<std::string> overrides_of(const YamlNode& node, const std::string& name) {
  if (node.kind != YamlNode::Kind::kMap) {
    config_error(node, name,
                 "got " + node.description() + ", expected a mapping of keys to values");
  }
  std::vector<std::string> overrides;
  for (const auto& [key, value] : node.entries) {
    overrides.push_back(concat(key, "=", to_flow_text(value)));
  }
  return overrides;
}

const std::vector<YamlNode>& items_of(const YamlNode& node, const std::string& name) {
  if (node.kind != YamlNode::Kind::kSequence || node.items.empty()) {
    config_error(node, name, "got " + node.description() + ", expected a list that is not empty");
  }
  return node.items;
}

std::vector<Change> listed_runs(const YamlNode* node) {
  if (node == nullptr) {
    return {Change{}};
  }
  std::vector<Change> changes;
  for (const YamlNode& item : items_of(*node, "runs")) {
    const std::string path = concat("runs[", changes.size(), "]");
    StrictMap map(item, path);
    Change change;
    if (const YamlNode* name = map.required("name")) {
      change.label = read_string(*name, map.name_of("name"));
    }
    if (const YamlNode* set = map.optional("set")) {
      change.overrides = overrides_of(*set, map.name_of("set"));
    }
    if (const YamlNode* paper = map.optional("paper")) {
      change.paper = read_string(*paper, map.name_of("paper"));
    }
    map.finish();
    changes.push_back(std::move(change));
  }
  return changes;
}

/// Every change combined with every value of the axis.
std::vector<Change> along(const std::vector<Change>& changes, const YamlEntry& axis) {
  const std::string last_part = axis.key.substr(axis.key.rfind('.') + 1);
  std::vector<Change> combined;
  for (const Change& change : changes) {
    for (const YamlNode& value : items_of(axis.value, "axes." + axis.key)) {
      Change next = change;
      const std::string text = to_flow_text(value);
      next.label += concat(next.label.empty() ? "" : " ", last_part, "=", text);
      next.overrides.push_back(concat(axis.key, "=", text));
      combined.push_back(std::move(next));
    }
  }
  return combined;
}

std::string file_name(std::size_t number, const std::string& label) {
  std::string name = fmt::format("{:02}_", number);
  for (const char c : label) {
    const bool plain = std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '.' || c == '-';
    name += plain ? c : '_';
  }
  return name;
}

SweepRun make_run(const YamlNode& base, const Change& change, const fs::path& directory,
                  std::size_t number) {
  SweepRun run = {.name = file_name(number, change.label),
                  .label = change.label,
                  .paper = change.paper,
                  .yaml = {}};
  YamlNode root = base;
  apply_override(root, concat("run.dir='", (directory / run.name).string(), "'"));
  if (root.find("run")->find("shared") == nullptr) {
    apply_override(root, concat("run.shared='", (directory / "shared").string(), "'"));
  }
  for (const std::string& text : change.overrides) {
    apply_override(root, text);
  }
  try {
    read_config(root);
  } catch (const ConfigError& error) {
    BTC_THROW(ConfigError, "run '", run.label, "': ", error.what());
  }
  run.yaml = to_text(root);
  return run;
}

}  // namespace

Sweep expand_sweep(const fs::path& file, const fs::path& directory) {
  const YamlNode root = parse_yaml_file(file);
  StrictMap map(root, "");
  const YamlNode* title = map.required("title");
  const YamlNode* base_file = map.required("base");
  const YamlNode* set = map.optional("set");
  const YamlNode* runs = map.optional("runs");
  const YamlNode* axes = map.optional("axes");
  map.finish();
  if (runs == nullptr && axes == nullptr) {
    config_error(root, "runs", "expected a list `runs` or a mapping `axes`, or both");
  }
  YamlNode base = parse_yaml_file(read_string(*base_file, "base"));
  if (set != nullptr) {
    for (const std::string& text : overrides_of(*set, "set")) {
      apply_override(base, text);
    }
  }
  std::vector<Change> changes = listed_runs(runs);
  if (axes != nullptr) {
    if (axes->kind != YamlNode::Kind::kMap) {
      config_error(*axes, "axes", "got " + axes->description() + ", expected keys with lists");
    }
    for (const YamlEntry& axis : axes->entries) {
      changes = along(changes, axis);
    }
  }
  Sweep sweep = {.title = read_string(*title, "title"), .runs = {}};
  std::set<std::string> labels;
  for (const Change& change : changes) {
    if (!labels.insert(change.label).second) {
      config_error(root, "runs", "name '" + change.label + "' is given twice");
    }
    sweep.runs.push_back(make_run(base, change, directory, sweep.runs.size() + 1));
  }
  return sweep;
}

}  // namespace btc
