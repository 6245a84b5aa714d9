#include "config/strict_yaml.hpp"

#include <yaml-cpp/yaml.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <fstream>
#include <limits>
#include <sstream>
#include <utility>

#include "common/error.hpp"

namespace btc {
namespace {

constexpr int kMaxDepth = 16;  // an alias may contain itself

std::string joined(std::span<const std::string> words) {
  std::string text;
  for (const auto& word : words) {
    text += (text.empty() ? "" : ", ") + word;
  }
  return text;
}

/// Turns yaml-cpp nodes into ours. `lines`: origins get `:line`.
class Converter {
 public:
  Converter(std::string name, bool lines) : name_(std::move(name)), lines_(lines) {}

  // The nesting is that of the document, bounded by kMaxDepth.
  YamlNode convert(const YAML::Node& in, int depth) const {  // NOLINT(misc-no-recursion)
    YamlNode out;
    out.origin = origin(in.Mark());
    BTC_REQUIRE(ConfigError, depth <= kMaxDepth, out.origin, ": nested deeper than ", kMaxDepth);
    if (in.IsScalar()) {
      out.kind = YamlNode::Kind::kScalar;
      out.text = in.Scalar();
      out.quoted = in.Tag() == "!";
    } else if (in.IsSequence()) {
      out.kind = YamlNode::Kind::kSequence;
      for (const auto& item : in) {
        out.items.push_back(convert(item, depth + 1));
      }
    } else if (in.IsMap()) {
      out.kind = YamlNode::Kind::kMap;
      convert_entries(in, depth, out);
    }
    return out;
  }

  [[nodiscard]] std::string origin(const YAML::Mark& mark) const {
    return lines_ && !mark.is_null() ? concat(name_, ":", mark.line + 1) : name_;
  }

 private:
  void convert_entries(const YAML::Node& in, int depth,
                       YamlNode& out) const {  // NOLINT(misc-no-recursion)
    for (const auto& entry : in) {
      const std::string where = origin(entry.first.Mark());
      BTC_REQUIRE(ConfigError, entry.first.IsScalar(), where, ": a key must be a plain word");
      const std::string& key = entry.first.Scalar();
      const YamlNode* first = out.find(key);
      BTC_REQUIRE(ConfigError, first == nullptr, where, ": duplicate key '", key,
                  "', first given at ", first != nullptr ? first->origin : "");
      YamlNode value = convert(entry.second, depth + 1);
      value.origin = where;  // the line of the key, also for a value that starts further down
      out.entries.push_back({key, std::move(value)});
    }
  }

  std::string name_;
  bool lines_;
};

YamlNode parse(const std::string& text, const std::string& name, bool lines) {
  const Converter converter(name, lines);
  try {
    const std::vector<YAML::Node> documents = YAML::LoadAll(text);
    if (documents.empty()) {
      YamlNode none;
      none.origin = name;
      return none;
    }
    BTC_REQUIRE(ConfigError, documents.size() == 1, name, ": ", documents.size(),
                " YAML documents, expected one");
    return converter.convert(documents.front(), 0);
  } catch (const YAML::Exception& error) {
    BTC_THROW(ConfigError, converter.origin(error.mark), ": not valid YAML: ", error.msg);
  }
}

bool is_null_word(std::string_view text) {
  return text.empty() || text == "~" || text == "null" || text == "Null" || text == "NULL";
}

template <typename T>
bool parse_whole(std::string_view text, T& value) {
  const char* end = text.data() + text.size();
  const auto result = std::from_chars(text.data(), end, value);
  return result.ec == std::errc() && result.ptr == end;
}

bool is_plain(const YamlNode& node) { return node.kind == YamlNode::Kind::kScalar && !node.quoted; }

bool reads_as_other_type(std::string_view text) {
  double number = 0;
  return is_null_word(text) || text == "true" || text == "false" || parse_whole(text, number);
}

std::string quote(std::string_view text) {
  std::string out = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') {
      out += '\\';
    }
    out += c == '\n' ? std::string("\\n") : std::string(1, c);
  }
  return out + '"';
}

void write_block(const YamlNode& map, const std::string& indent,
                 std::string& out) {  // NOLINT(misc-no-recursion)
  for (const auto& [key, value] : map.entries) {
    out += indent + key + ":";
    if (value.kind == YamlNode::Kind::kMap && !value.entries.empty()) {
      out += "\n";
      write_block(value, indent + "  ", out);
    } else {
      out += " " + to_flow_text(value) + "\n";
    }
  }
}

}  // namespace

const YamlNode* YamlNode::find(std::string_view key) const {
  const auto it = std::ranges::find(entries, key, &YamlEntry::key);
  return it == entries.end() ? nullptr : &it->value;
}

std::string YamlNode::description() const {
  switch (kind) {
    case Kind::kNull:
      return "nothing";
    case Kind::kScalar:
      return quoted ? "the text \"" + text + "\"" : "'" + text + "'";
    case Kind::kSequence:
      return "a list";
    case Kind::kMap:
      return "a mapping";
  }
  return "nothing";
}

YamlNode parse_yaml(const std::string& text, const std::string& name) {
  return parse(text, name, true);
}

YamlNode parse_yaml_file(const std::filesystem::path& path) {
  std::ifstream in(path, std::ios::binary);
  BTC_REQUIRE(ConfigError, in && !std::filesystem::is_directory(path), "configuration file ",
              path.string(), ": cannot be read");
  std::ostringstream text;
  text << in.rdbuf();
  return parse_yaml(text.str(), path.string());
}

void apply_override(YamlNode& root, const std::string& override_text) {
  const std::string origin = "--set " + override_text;
  const std::size_t equals = override_text.find('=');
  BTC_REQUIRE(ConfigError, equals != std::string::npos && equals > 0, origin,
              ": expected KEY.PATH=VALUE");
  YamlNode* node = &root;
  std::istringstream path(override_text.substr(0, equals));
  std::string so_far;
  for (std::string key; std::getline(path, key, '.');) {
    const bool absent = node->kind == YamlNode::Kind::kNull;
    BTC_REQUIRE(ConfigError, absent || node->kind == YamlNode::Kind::kMap, origin, ": '", so_far,
                "' (", node->origin, ") is ", node->description(), ", not a mapping");
    if (absent) {
      node->kind = YamlNode::Kind::kMap;
      node->origin = origin;
    }
    if (node->find(key) == nullptr) {
      node->entries.push_back({key, YamlNode{}});
    }
    so_far += (so_far.empty() ? "" : ".") + key;
    node = &std::ranges::find(node->entries, key, &YamlEntry::key)->value;
  }
  *node = parse(override_text.substr(equals + 1), origin, false);
}

std::string to_flow_text(const YamlNode& node) {  // NOLINT(misc-no-recursion)
  std::string out;
  switch (node.kind) {
    case YamlNode::Kind::kNull:
      return "null";
    case YamlNode::Kind::kScalar:
      return node.quoted ? quote(node.text) : node.text;
    case YamlNode::Kind::kSequence:
      for (const auto& item : node.items) {
        out += (out.empty() ? "" : ", ") + to_flow_text(item);
      }
      return "[" + out + "]";
    case YamlNode::Kind::kMap:
      for (const auto& [key, value] : node.entries) {
        out += (out.empty() ? "" : ", ") + key + ": " + to_flow_text(value);
      }
      return "{" + out + "}";
  }
  return out;
}

std::string to_text(const YamlNode& root) {
  std::string out;
  write_block(root, "", out);
  return out;
}

StrictMap::StrictMap(const YamlNode& node, std::string path) : node_(node), path_(std::move(path)) {
  if (node.kind != YamlNode::Kind::kMap) {
    config_error(node, path_.empty() ? "the configuration" : path_,
                 "got " + node.description() + ", expected a mapping of keys to values");
  }
}

const YamlNode* StrictMap::optional(std::string_view key) {
  asked_.emplace_back(key);
  return node_.find(key);
}

const YamlNode* StrictMap::required(std::string_view key) {
  const YamlNode* node = optional(key);
  if (node == nullptr) {
    missing_.emplace_back(key);
  }
  return node;
}

std::string StrictMap::name_of(std::string_view key) const {
  return path_.empty() ? std::string(key) : path_ + "." + std::string(key);
}

void StrictMap::finish() const {
  for (const auto& [key, value] : node_.entries) {
    if (std::ranges::find(asked_, key) == asked_.end()) {
      config_error(value, name_of(key), "unknown key; allowed here: " + joined(asked_));
    }
  }
  if (!missing_.empty()) {
    config_error(node_, path_.empty() ? "the configuration" : path_,
                 "required key missing: " + joined(missing_));
  }
}

std::int64_t read_integer(const YamlNode& node, const std::string& name, std::int64_t low,
                          std::int64_t high) {
  std::int64_t value = 0;
  if (!is_plain(node) || !parse_whole(node.text, value) || value < low || value > high) {
    const std::string range = high == std::numeric_limits<std::int64_t>::max()
                                  ? concat(">= ", low)
                                  : concat("from ", low, " to ", high);
    config_error(node, name, "got " + node.description() + ", expected an integer " + range);
  }
  return value;
}

std::uint64_t read_unsigned(const YamlNode& node, const std::string& name) {
  std::uint64_t value = 0;
  if (!is_plain(node) || !parse_whole(node.text, value)) {
    config_error(node, name,
                 "got " + node.description() + ", expected an integer from 0 to 2^64 - 1");
  }
  return value;
}

double read_number(const YamlNode& node, const std::string& name, double low, double high) {
  double value = 0;
  if (!is_plain(node) || !parse_whole(node.text, value) || !std::isfinite(value) || value < low ||
      value > high) {
    config_error(
        node, name,
        concat("got ", node.description(), ", expected a number from ", low, " to ", high));
  }
  return value;
}

bool read_bool(const YamlNode& node, const std::string& name) {
  if (!is_plain(node) || (node.text != "true" && node.text != "false")) {
    config_error(node, name, "got " + node.description() + ", expected true or false");
  }
  return node.text == "true";
}

std::string read_string(const YamlNode& node, const std::string& name) {
  const bool scalar = node.kind == YamlNode::Kind::kScalar && !node.text.empty();
  if (!scalar || (!node.quoted && reads_as_other_type(node.text))) {
    config_error(node, name,
                 "got " + node.description() +
                     ", expected text (put a number in quotes if it is meant as text)");
  }
  return node.text;
}

std::size_t read_choice(const YamlNode& node, const std::string& name,
                        std::span<const std::string_view> allowed) {
  const auto it = std::ranges::find(allowed, std::string_view(node.text));
  if (node.kind != YamlNode::Kind::kScalar || it == allowed.end()) {
    const std::vector<std::string> words(allowed.begin(), allowed.end());
    config_error(node, name, "got " + node.description() + ", expected one of: " + joined(words));
  }
  return static_cast<std::size_t>(it - allowed.begin());
}

void config_error(const YamlNode& node, const std::string& name, const std::string& text) {
  BTC_THROW(ConfigError, node.origin, ": ", name, ": ", text);
}

}  // namespace btc
