/// The table of keys, read by one visitor and written by another: a key exists in exactly one
/// place.

#include <algorithm>
#include <cctype>
#include <charconv>
#include <iterator>
#include <limits>
#include <set>
#include <sstream>

#include "common/error.hpp"
#include "config/pipeline_config.hpp"
#include "config/strict_yaml.hpp"

namespace btc {
namespace {

constexpr std::int64_t kUnlimited = std::numeric_limits<std::int64_t>::max();
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
class Reader {
 public:
  Reader(const YamlNode& node, const std::string& path) : map_(node, path) {}

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
  void required_path(std::string_view key, std::filesystem::path& value) {
    if (const YamlNode* node = map_.required(key)) {
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
    Reader inner(node, name);
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

YamlNode scalar(std::string text, bool quoted = false) {
  YamlNode node;
  node.kind = YamlNode::Kind::kScalar;
  node.text = std::move(text);
  node.quoted = quoted;
  return node;
}

/// The shortest decimal that reads back to the same value.
YamlNode number_node(double value) {
  std::array<char, 32> buffer{};
  const auto result = std::to_chars(buffer.data(), buffer.data() + buffer.size(), value);
  return scalar(std::string(buffer.data(), result.ptr));
}

YamlNode text_node(const std::string& text) {
  return text.empty() ? YamlNode{} : scalar(text, true);
}

/// Writes fields into a mapping, each under the key that `Reader` takes it from.
class Writer {
 public:
  explicit Writer(YamlNode& map) : map_(map) { map.kind = YamlNode::Kind::kMap; }

  template <typename Integer>
  void integer(std::string_view key, Integer& value, IntegerRange /*range*/) {
    add(key, scalar(std::to_string(value)));
  }
  template <typename Integer>
  void optional_integer(std::string_view key, std::optional<Integer>& value, IntegerRange /*r*/) {
    add(key, value ? scalar(std::to_string(*value)) : YamlNode{});
  }
  void seed(std::string_view key, std::uint64_t& value) { add(key, scalar(std::to_string(value))); }
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
  void flag(std::string_view key, bool& value) { add(key, scalar(value ? "true" : "false")); }
  void required_text(std::string_view key, std::string& value) { add(key, text_node(value)); }
  void required_path(std::string_view key, std::filesystem::path& value) {
    add(key, text_node(value.string()));
  }
  void source_path(std::string_view key, std::filesystem::path& value, TokenSource /*source*/) {
    add(key, text_node(value.string()));
  }
  template <typename Enum>
  void choice(std::string_view key, Enum& value, Names names) {
    add(key, scalar(std::string(names[static_cast<std::size_t>(value)])));
  }
  template <typename Enum>
  void choices(std::string_view key, std::vector<Enum>& values, Names names) {
    YamlNode& list = add_list(key);
    for (const Enum value : values) {
      list.items.push_back(scalar(std::string(names[static_cast<std::size_t>(value)])));
    }
  }
  template <typename Section, typename Visit>
  void section(std::string_view key, Section& value, Visit visit) {
    Writer inner(add(key, YamlNode{}));
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
      add(key, scalar("none"));
    }
  }
  template <typename Section, typename Visit>
  void sections(std::string_view key, std::vector<Section>& values, Visit visit) {
    YamlNode& list = add_list(key);
    for (auto& value : values) {
      Writer inner(list.items.emplace_back());
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

// ---- The keys. Ranges that need no other key stand here; `check_params` knows the rest.

constexpr auto kRunFields = [](auto& map, RunParams& run) {
  map.required_path("dir", run.dir);
  map.seed("seed", run.seed);
};

constexpr auto kModelFields = [](auto& map, std::filesystem::path& path) {
  map.required_path("path", path);
};

constexpr auto kCalibrationFields = [](auto& map, CalibrationParams& calibration) {
  map.choice("source", calibration.source, kTokenSourceNames);
  map.source_path("path", calibration.path, calibration.source);
  map.integer("samples", calibration.samples, IntegerRange{.low = 1});
  map.integer("window", calibration.window, IntegerRange{.low = 2});
};

constexpr auto kComputeFields = [](auto& map, ComputeParams& compute) {
  map.choice("backend", compute.backend, kBackendKindNames);
  map.integer("threads_per_rank", compute.threads_per_rank, IntegerRange{.low = 1, .high = 1024});
};

constexpr auto kBinarizeFields = [](auto& map, BinarizeParams& binarize) {
  map.choice("method", binarize.method, kFitRuleNames);
  map.integer("iterations", binarize.iterations, IntegerRange{.low = 0, .high = 10000});
  map.integer("split_points", binarize.split_points, IntegerRange{.low = 0, .high = 3});
  map.choice("split_rule", binarize.split_rule, kSplitRuleNames);
  map.numbers("group_fractions", binarize.group_fractions, NumberRange{});
  map.choice("salient", binarize.salient, kSalientRuleNames);
  map.number("salient_fraction", binarize.salient_fraction, NumberRange{});
  map.choice("scales", binarize.scales, kScaleLayoutNames);
  map.choice("compensation", binarize.compensation, kCompensationNames);
  map.integer("panel", binarize.panel, IntegerRange{.low = 1, .high = 1 << 20});
  map.number("damping", binarize.damping, NumberRange{});
};

constexpr auto kCodebookFields = [](auto& map, CodebookParams& codebook) {
  map.integer("vector_length", codebook.vector_length, IntegerRange{.low = 4, .high = 24});
  map.optional_number("target_bits", codebook.target_bits, NumberRange{});
  map.optional_integer("centroids", codebook.centroids, IntegerRange{.low = 1, .high = 1 << 20});
  map.choice("scope", codebook.scope, kCodebookScopeNames);
  map.choice("init", codebook.init, kCodebookInitNames);
  map.integer("iterations", codebook.iterations, IntegerRange{.low = 0, .high = 10000});
  map.choice("assignment", codebook.assignment, kAssignmentNames);
  map.choice("encode", codebook.encode, kEncodeModeNames);
  map.flag("refit", codebook.refit);
};

constexpr auto kPerplexityFields = [](auto& map, PerplexityParams& entry) {
  map.required_text("name", entry.name);
  map.choice("source", entry.source, kTokenSourceNames);
  map.source_path("path", entry.path, entry.source);
  map.integer("samples", entry.samples, IntegerRange{.low = 1});
  map.integer("window", entry.window, IntegerRange{.low = 2});
  map.optional_integer("windows", entry.windows, IntegerRange{.low = 1});
};

constexpr auto kEvaluateFields = [](auto& map, EvaluateParams& evaluate) {
  map.choices("subjects", evaluate.subjects, kSubjectNames);
  map.sections("perplexity", evaluate.perplexity, kPerplexityFields);
  map.integer("windows_in_memory", evaluate.windows_in_memory, IntegerRange{.low = 1});
};

constexpr auto kResumeFields = [](auto& map, ResumeParams& resume) {
  map.choice("verify", resume.verify, kResumeVerifyNames);
};

constexpr auto kRootFields = [](auto& map, PipelineConfig& config) {
  map.required_section("run", config.run, kRunFields);
  map.required_section("model", config.model_path, kModelFields);
  map.section("calibration", config.calibration, kCalibrationFields);
  map.section("compute", config.compute, kComputeFields);
  map.section("binarize", config.binarize, kBinarizeFields);
  map.section_or_none("codebook", config.codebook, kCodebookFields);
  map.section("evaluate", config.evaluate, kEvaluateFields);
  map.section("resume", config.resume, kResumeFields);
};

/// Where the key stands that a message of `check_params` begins with (`binarize.panel: ...`), or
/// the nearest mapping around it that was given.
std::string origin_of_first_key(const YamlNode& root, const std::string& message) {
  std::istringstream path(message.substr(0, message.find(':')));
  const YamlNode* node = &root;
  for (std::string key; std::getline(path, key, '.') && node->find(key) != nullptr;) {
    node = node->find(key);
  }
  return node->origin;
}

void check_perplexity_names(const YamlNode& root, const EvaluateParams& evaluate) {
  std::set<std::string> seen;
  for (const auto& entry : evaluate.perplexity) {
    const bool plain = std::ranges::all_of(entry.name, [](unsigned char c) {
      return std::isalnum(c) != 0 || c == '_' || c == '-' || c == '.';
    });
    const YamlNode& list = *root.find("evaluate")->find("perplexity");
    if (!plain) {
      config_error(list, "evaluate.perplexity",
                   "name '" + entry.name + "': expected letters, digits, '_', '-' and '.' only");
    }
    if (!seen.insert(entry.name).second) {
      config_error(list, "evaluate.perplexity", "name '" + entry.name + "' is given twice");
    }
  }
}

YamlNode to_tree(PipelineConfig config) {
  YamlNode root;
  Writer writer(root);
  kRootFields(writer, config);
  return root;
}

}  // namespace

PipelineConfig load_config(const std::filesystem::path& file,
                           const std::vector<std::string>& overrides) {
  YamlNode root = parse_yaml_file(file);
  for (const auto& text : overrides) {
    apply_override(root, text);
  }
  PipelineConfig config;
  Reader reader(root, "");
  kRootFields(reader, config);
  reader.finish();
  check_perplexity_names(root, config.evaluate);
  try {
    check_params(config.binarize, config.codebook);
  } catch (const ConfigError& error) {
    BTC_THROW(ConfigError, origin_of_first_key(root, error.what()), ": ", error.what());
  }
  return config;
}

std::string to_yaml(const PipelineConfig& config) { return to_text(to_tree(config)); }

std::map<std::string, std::string> to_options(const PipelineConfig& config) {
  std::map<std::string, std::string> options;
  for (const auto& [section, node] : to_tree(config).entries) {
    if (node.kind != YamlNode::Kind::kMap) {
      options[section] = to_flow_text(node);
      continue;
    }
    for (const auto& [key, value] : node.entries) {
      options[concat(section, ".", key)] = to_flow_text(value);
    }
  }
  return options;
}

}  // namespace btc
