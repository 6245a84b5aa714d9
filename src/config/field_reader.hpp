#pragma once
/// Takes the fields of a Params struct out of a strictly read mapping.
///
/// `FieldReader` and `FieldWriter` have the same functions, so one table of keys serves both.

#include <algorithm>
#include <cstdint>
#include <filesystem>
#include <limits>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "common/error.hpp"
#include "config/pipeline_config.hpp"
#include "config/strict_yaml.hpp"

namespace btc {

inline constexpr std::int64_t kUnlimited = std::numeric_limits<std::int64_t>::max();
struct IntegerRange {
  std::int64_t low = 0;
  std::int64_t high = kUnlimited;
};
struct NumberRange {
  double low = 0;
  double high = 1;
};
using Names = std::span<const std::string_view>;

/// Fills fields from a mapping; an absent key leaves the default.
class FieldReader {
 public:
  FieldReader(const YamlNode& node, const std::string& path) : map_(node, path) {}

  template <typename Integer>
  void integer(std::string_view key, Integer& value, IntegerRange range) {
    if (const YamlNode* node = map_.optional(key)) {
      value = static_cast<Integer>(read_integer(*node, map_.name_of(key), range.low, range.high));
    }
  }
  template <typename Integer>
  void optional_integer(std::string_view key, std::optional<Integer>& value, IntegerRange range) {
    const YamlNode* node = map_.optional(key);
    if (node != nullptr && node->kind != YamlNode::Kind::kNull) {
      value = static_cast<Integer>(read_integer(*node, map_.name_of(key), range.low, range.high));
    }
  }
  void seed(std::string_view key, std::uint64_t& value) {
    if (const YamlNode* node = map_.optional(key)) {
      value = read_unsigned(*node, map_.name_of(key));
    }
  }
  void number(std::string_view key, double& value, NumberRange range) {
    if (const YamlNode* node = map_.optional(key)) {
      value = read_number(*node, map_.name_of(key), range.low, range.high);
    }
  }
  void optional_number(std::string_view key, std::optional<double>& value, NumberRange range) {
    const YamlNode* node = map_.optional(key);
    if (node != nullptr && node->kind != YamlNode::Kind::kNull) {
      value = read_number(*node, map_.name_of(key), range.low, range.high);
    }
  }
  void numbers(std::string_view key, std::vector<double>& values, NumberRange range) {
    if (const YamlNode* node = map_.optional(key)) {
      values.clear();
      for (const auto& item : list_items(*node, key)) {
        values.push_back(read_number(item, map_.name_of(key), range.low, range.high));
      }
    }
  }
  void flag(std::string_view key, bool& value) {
    if (const YamlNode* node = map_.optional(key)) {
      value = read_bool(*node, map_.name_of(key));
    }
  }
  void required_text(std::string_view key, std::string& value) {
    if (const YamlNode* node = map_.required(key)) {
      value = read_string(*node, map_.name_of(key));
    }
  }
  void texts(std::string_view key, std::vector<std::string>& values) {
    if (const YamlNode* node = map_.optional(key)) {
      values.clear();
      for (const auto& item : list_items(*node, key)) {
        values.push_back(read_string(item, map_.name_of(key)));
      }
    }
  }
  void required_path(std::string_view key, std::filesystem::path& value) {
    if (const YamlNode* node = map_.required(key)) {
      value = read_string(*node, map_.name_of(key));
    }
  }
  void optional_path(std::string_view key, std::filesystem::path& value) {
    const YamlNode* node = map_.optional(key);
    if (node != nullptr && node->kind != YamlNode::Kind::kNull) {
      value = read_string(*node, map_.name_of(key));
    }
  }
  /// The file of a token source: needed by `ids` and `text`, refused by `self`.
  void source_path(std::string_view key, std::filesystem::path& value, TokenSource source) {
    const bool needed = source != TokenSource::kSelf;
    const YamlNode* node = needed ? map_.required(key) : map_.optional(key);
    if (node == nullptr || (!needed && node->kind == YamlNode::Kind::kNull)) {
      return;
    }
    if (!needed) {
      config_error(*node, map_.name_of(key),
                   "source: self samples from the model and takes no file; "
                   "a file needs source: ids or source: text");
    }
    value = read_string(*node, map_.name_of(key));
  }
  template <typename Enum>
  void choice(std::string_view key, Enum& value, Names names) {
    if (const YamlNode* node = map_.optional(key)) {
      value = static_cast<Enum>(read_choice(*node, map_.name_of(key), names));
    }
  }
  template <typename Enum>
  void choices(std::string_view key, std::vector<Enum>& values, Names names) {
    if (const YamlNode* node = map_.optional(key)) {
      values.clear();
      for (const auto& item : list_items(*node, key)) {
        const auto value = static_cast<Enum>(read_choice(item, map_.name_of(key), names));
        if (std::ranges::find(values, value) != values.end()) {
          config_error(item, map_.name_of(key), "'" + item.text + "' is listed twice");
        }
        values.push_back(value);
      }
    }
  }
  template <typename Section, typename Visit>
  void section(std::string_view key, Section& value, Visit visit) {
    if (const YamlNode* node = map_.optional(key)) {
      read_section(*node, map_.name_of(key), value, visit);
    }
  }
  template <typename Section, typename Visit>
  void required_section(std::string_view key, Section& value, Visit visit) {
    if (const YamlNode* node = map_.required(key)) {
      read_section(*node, map_.name_of(key), value, visit);
    }
  }
  /// A section that may be left out, by the word `none` too.
  template <typename Section, typename Visit>
  void section_or_none(std::string_view key, std::optional<Section>& value, Visit visit) {
    const YamlNode* node = map_.optional(key);
    if (node == nullptr) {
      return;
    }
    const bool scalar = node->kind == YamlNode::Kind::kScalar;
    if (scalar && node->text != "none") {
      config_error(*node, map_.name_of(key),
                   "got " + node->description() + ", expected a mapping or none");
    }
    value.reset();
    if (!scalar) {
      read_section(*node, map_.name_of(key), value.emplace(), visit);
    }
  }
  template <typename Section, typename Visit>
  void sections(std::string_view key, std::vector<Section>& values, Visit visit) {
    if (const YamlNode* node = map_.optional(key)) {
      values.clear();
      for (const auto& item : list_items(*node, key)) {
        const std::string name = concat(map_.name_of(key), "[", values.size(), "]");
        read_section(item, name, values.emplace_back(), visit);
      }
    }
  }
  void finish() const { map_.finish(); }

 private:
  template <typename Section, typename Visit>
  static void read_section(const YamlNode& node, const std::string& name, Section& value,
                           Visit visit) {
    FieldReader inner(node, name);
    visit(inner, value);
    inner.finish();
  }
  const std::vector<YamlNode>& list_items(const YamlNode& node, std::string_view key) const {
    if (node.kind != YamlNode::Kind::kSequence) {
      config_error(node, map_.name_of(key), "got " + node.description() + ", expected a list");
    }
    return node.items;
  }

  StrictMap map_;
};

}  // namespace btc
