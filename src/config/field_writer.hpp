#pragma once
/// Puts the fields of a Params struct into a mapping; the counterpart of `FieldReader`.

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdint>
#include <filesystem>
#include <iterator>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "config/field_reader.hpp"
#include "config/strict_yaml.hpp"

namespace btc {

inline YamlNode scalar_node(std::string text, bool quoted = false) {
  YamlNode node;
  node.kind = YamlNode::Kind::kScalar;
  node.text = std::move(text);
  node.quoted = quoted;
  return node;
}

/// The shortest decimal that reads back to the same value.
inline YamlNode number_node(double value) {
  std::array<char, 32> buffer{};
  const auto result = std::to_chars(buffer.data(), buffer.data() + buffer.size(), value);
  return scalar_node(std::string(buffer.data(), result.ptr));
}

inline YamlNode text_node(const std::string& text) {
  return text.empty() ? YamlNode{} : scalar_node(text, true);
}

/// Writes fields into a mapping, each under the key that `FieldReader` takes it from.
class FieldWriter {
 public:
  explicit FieldWriter(YamlNode& map) : map_(map) { map.kind = YamlNode::Kind::kMap; }

  template <typename Integer>
  void integer(std::string_view key, Integer& value, IntegerRange /*range*/) {
    add(key, scalar_node(std::to_string(value)));
  }
  template <typename Integer>
  void optional_integer(std::string_view key, std::optional<Integer>& value, IntegerRange /*r*/) {
    add(key, value ? scalar_node(std::to_string(*value)) : YamlNode{});
  }
  void seed(std::string_view key, std::uint64_t& value) {
    add(key, scalar_node(std::to_string(value)));
  }
  void number(std::string_view key, double& value, NumberRange /*range*/) {
    add(key, number_node(value));
  }
  void optional_number(std::string_view key, std::optional<double>& value, NumberRange /*range*/) {
    add(key, value ? number_node(*value) : YamlNode{});
  }
  void numbers(std::string_view key, std::vector<double>& values, NumberRange /*range*/) {
    YamlNode& list = add_list(key);
    std::ranges::transform(values, std::back_inserter(list.items), number_node);
  }
  void flag(std::string_view key, bool& value) { add(key, scalar_node(value ? "true" : "false")); }
  void required_text(std::string_view key, std::string& value) { add(key, text_node(value)); }
  void texts(std::string_view key, std::vector<std::string>& values) {
    YamlNode& list = add_list(key);
    std::ranges::transform(values, std::back_inserter(list.items), text_node);
  }
  void required_path(std::string_view key, std::filesystem::path& value) {
    add(key, text_node(value.string()));
  }
  void optional_path(std::string_view key, std::filesystem::path& value) {
    add(key, text_node(value.string()));
  }
  void source_path(std::string_view key, std::filesystem::path& value, TokenSource /*source*/) {
    add(key, text_node(value.string()));
  }
  template <typename Enum>
  void choice(std::string_view key, Enum& value, Names names) {
    add(key, scalar_node(std::string(names[static_cast<std::size_t>(value)])));
  }
  template <typename Enum>
  void choices(std::string_view key, std::vector<Enum>& values, Names names) {
    YamlNode& list = add_list(key);
    for (const Enum value : values) {
      list.items.push_back(scalar_node(std::string(names[static_cast<std::size_t>(value)])));
    }
  }
  template <typename Section, typename Visit>
  void section(std::string_view key, Section& value, Visit visit) {
    FieldWriter inner(add(key, YamlNode{}));
    visit(inner, value);
  }
  template <typename Section, typename Visit>
  void required_section(std::string_view key, Section& value, Visit visit) {
    section(key, value, visit);
  }
  template <typename Section, typename Visit>
  void section_or_none(std::string_view key, std::optional<Section>& value, Visit visit) {
    if (value) {
      section(key, *value, visit);
    } else {
      add(key, scalar_node("none"));
    }
  }
  template <typename Section, typename Visit>
  void sections(std::string_view key, std::vector<Section>& values, Visit visit) {
    YamlNode& list = add_list(key);
    for (auto& value : values) {
      FieldWriter inner(list.items.emplace_back());
      visit(inner, value);
    }
  }

 private:
  YamlNode& add(std::string_view key, YamlNode node) {
    map_.entries.push_back({std::string(key), std::move(node)});
    return map_.entries.back().value;
  }
  YamlNode& add_list(std::string_view key) {
    YamlNode list;
    list.kind = YamlNode::Kind::kSequence;
    return add(key, std::move(list));
  }

  YamlNode& map_;
};

}  // namespace btc
