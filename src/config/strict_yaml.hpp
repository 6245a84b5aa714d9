#pragma once
/// YAML text as a plain tree that knows where each value came from, and a mapping reader that
/// refuses what nobody asked for. yaml-cpp itself accepts unknown and duplicate keys silently.

#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace btc {

struct YamlEntry;

/// One value. A scalar keeps its text; `quoted` scalars are strings, never numbers.
struct YamlNode {
  enum class Kind { kNull, kScalar, kSequence, kMap };
  Kind kind = Kind::kNull;
  std::string text;
  bool quoted = false;
  std::string origin;              ///< `file.yaml:12`, or the override `--set a.b=VALUE`
  std::vector<YamlNode> items;     ///< of a sequence
  std::vector<YamlEntry> entries;  ///< of a map, in file order

  /// The value under `key`, or null. @pre a map
  [[nodiscard]] const YamlNode* find(std::string_view key) const;
  /// What a message calls it: `a mapping`, `'text'`, ...
  [[nodiscard]] std::string description() const;
};

struct YamlEntry {
  std::string key;
  YamlNode value;
};

/// Parses one document. @param name file name for messages and origins
/// @throws ConfigError naming file and line: not YAML, a duplicate key, a key that is no scalar,
///         more than one document
YamlNode parse_yaml(const std::string& text, const std::string& name);
/// @throws ConfigError as `parse_yaml`, or if the file cannot be read
YamlNode parse_yaml_file(const std::filesystem::path& path);

/// Sets `a.b` of the tree to VALUE, given as `a.b=VALUE`; absent mappings on the way are made.
/// @throws ConfigError naming the override: no `=`, bad YAML, a key below something that is no
///         mapping
void apply_override(YamlNode& root, const std::string& override_text);

/// Block style, nested by two spaces; sequences and their content in flow style.
std::string to_text(const YamlNode& root);
/// One line, flow style.
std::string to_flow_text(const YamlNode& node);

/// Reads a mapping key by key and remembers the keys it was asked for.
class StrictMap {
 public:
  /// @param path dotted name of this mapping, empty for the root
  /// @throws ConfigError if the node is no mapping
  StrictMap(const YamlNode& node, std::string path);

  /// The value under `key`, or null when absent.
  const YamlNode* optional(std::string_view key);
  /// The same, but `finish` fails when it is absent.
  const YamlNode* required(std::string_view key);
  /// Dotted name of a key of this mapping.
  [[nodiscard]] std::string name_of(std::string_view key) const;
  /// @throws ConfigError for a key nobody asked for (lists those that were), then for a missing one
  void finish() const;

 private:
  const YamlNode& node_;
  std::string path_;
  std::vector<std::string> asked_;
  std::vector<std::string> missing_;
};

/// @name Typed scalars. `name` is the dotted key.
/// @throws ConfigError naming origin, key, what was found and what is allowed
/// @{
std::int64_t read_integer(const YamlNode& node, const std::string& name, std::int64_t low,
                          std::int64_t high);
/// Whole range of a seed: 0 .. 2^64 - 1.
std::uint64_t read_unsigned(const YamlNode& node, const std::string& name);
/// A finite number in [low, high].
double read_number(const YamlNode& node, const std::string& name, double low, double high);
bool read_bool(const YamlNode& node, const std::string& name);
/// Text that is not empty. A plain scalar that YAML takes for a number, boolean or null is refused.
std::string read_string(const YamlNode& node, const std::string& name);
/// Index into `allowed`.
std::size_t read_choice(const YamlNode& node, const std::string& name,
                        std::span<const std::string_view> allowed);
/// @}

/// Throws the ConfigError `origin: name: text`.
[[noreturn]] void config_error(const YamlNode& node, const std::string& name,
                               const std::string& text);

}  // namespace btc
