/// The table of keys, read by one visitor and written by another: a key exists in exactly one
/// place.

#include <algorithm>
#include <cctype>
#include <set>
#include <sstream>
#include <utility>

#include "common/error.hpp"
#include "config/field_reader.hpp"
#include "config/field_writer.hpp"
#include "config/pipeline_config.hpp"
#include "config/preset.hpp"
#include "config/read_config.hpp"
#include "config/strict_yaml.hpp"

namespace btc {
namespace {

// ---- The keys. Ranges that need no other key stand here; `check_params` knows the rest.

constexpr auto kRunFields = [](auto& map, RunParams& run) {
  map.required_path("dir", run.dir);
  map.optional_path("shared", run.shared);
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
  map.integer("sweeps", calibration.sweeps, IntegerRange{.low = 1, .high = 8});
};

constexpr auto kComputeFields = [](auto& map, ComputeParams& compute) {
  map.choice("backend", compute.backend, kBackendKindNames);
  map.integer("threads_per_rank", compute.threads_per_rank, IntegerRange{.low = 1, .high = 1024});
};

constexpr auto kTransformFields = [](auto& map, TransformParams& transform) {
  map.choice("kind", transform.kind, kTransformKindNames);
  map.choice("start", transform.start, kTransformStartNames);
  map.flag("factors", transform.factors);
  map.flag("signs", transform.signs);
  map.optional_integer("epochs", transform.epochs, IntegerRange{.low = 1, .high = 10000});
  map.optional_number("learning_rate", transform.learning_rate, NumberRange{});
  map.optional_integer("batch", transform.batch, IntegerRange{.low = 1, .high = 1 << 20});
  map.choice("precision", transform.precision, kPrecisionNames);
  map.optional_number("sign_start", transform.sign_start, NumberRange{});
  map.number("similarity", transform.similarity, NumberRange{.low = 0, .high = 1e6});
  map.number("balance", transform.balance, NumberRange{.low = 0, .high = 1e6});
  map.integer("eigenvalues", transform.eigenvalues, IntegerRange{.low = 1, .high = 24});
};

constexpr auto kBinarizeFields = [](auto& map, BinarizeParams& binarize) {
  map.choice("method", binarize.method, kFitRuleNames);
  map.integer("iterations", binarize.iterations, IntegerRange{.low = 0, .high = 10000});
  map.choice("solver", binarize.solver, kFitSolverNames);
  map.integer("split_points", binarize.split_points, IntegerRange{.low = 0, .high = 3});
  map.choice("split_rule", binarize.split_rule, kSplitRuleNames);
  map.numbers("group_fractions", binarize.group_fractions, NumberRange{});
  map.choice("salient", binarize.salient, kSalientRuleNames);
  map.number("salient_fraction", binarize.salient_fraction, NumberRange{});
  map.flag("salient_groups", binarize.salient_groups);
  map.choice("scales", binarize.scales, kScaleLayoutNames);
  map.choice("rounding", binarize.rounding, kScaleRoundingNames);
  map.choice("uniform", binarize.uniform, kUniformRuleNames);
  map.integer("uniform_bits", binarize.uniform_bits, IntegerRange{.low = 2, .high = 8});
  map.choice("compensation", binarize.compensation, kCompensationNames);
  map.integer("panel", binarize.panel, IntegerRange{.low = 1, .high = 1 << 20});
  map.number("damping", binarize.damping, NumberRange{});
};

constexpr auto kCodebookFields = [](auto& map, CodebookParams& codebook) {
  map.choice("codec", codebook.codec, kCodecNames);
  map.choice("layout", codebook.layout, kCodebookLayoutNames);
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

constexpr auto kRefineFields = [](auto& map, RefineParams& refine) {
  constexpr NumberRange kRate = {.low = 0, .high = 1};
  map.integer("block_epochs", refine.block_epochs, IntegerRange{.low = 0, .high = 10000});
  map.number("block_learning_rate", refine.block_learning_rate, kRate);
  map.number("block_sign_learning_rate", refine.block_sign_learning_rate, kRate);
  map.integer("dense_epochs", refine.dense_epochs, IntegerRange{.low = 0, .high = 10000});
  map.number("dense_learning_rate", refine.dense_learning_rate, kRate);
  map.integer("kd_epochs", refine.kd_epochs, IntegerRange{.low = 0, .high = 10000});
  map.number("kd_learning_rate", refine.kd_learning_rate, kRate);
  map.number("kd_sign_learning_rate", refine.kd_sign_learning_rate, kRate);
  map.integer("batch", refine.batch, IntegerRange{.low = 1, .high = 1 << 20});
};

constexpr auto kPerplexityFields = [](auto& map, PerplexityParams& entry) {
  map.required_text("name", entry.name);
  map.choice("source", entry.source, kTokenSourceNames);
  map.source_path("path", entry.path, entry.source);
  map.choice("join", entry.join, kTextJoinNames);
  map.integer("samples", entry.samples, IntegerRange{.low = 1});
  map.integer("window", entry.window, IntegerRange{.low = 2});
  map.optional_integer("windows", entry.windows, IntegerRange{.low = 1});
};

constexpr auto kZeroShotFields = [](auto& map, ZeroShotParams& tasks) {
  map.texts("tasks", tasks.tasks);
  map.optional_path("data", tasks.data);
  map.optional_path("requests", tasks.requests);
  map.choice("add_bos", tasks.add_bos, kAddBosNames);
  map.integer("limit", tasks.limit, IntegerRange{.low = 0});
  map.integer("batch_tokens", tasks.batch_tokens, IntegerRange{.low = 1, .high = 1 << 24});
  map.integer("tokens_in_memory", tasks.tokens_in_memory, IntegerRange{.low = 1});
};

constexpr auto kEvaluateFields = [](auto& map, EvaluateParams& evaluate) {
  map.choices("subjects", evaluate.subjects, kSubjectNames);
  map.sections("perplexity", evaluate.perplexity, kPerplexityFields);
  map.integer("windows_in_memory", evaluate.windows_in_memory, IntegerRange{.low = 1});
  map.section_or_none("zero_shot", evaluate.zero_shot, kZeroShotFields);
};

constexpr auto kResumeFields = [](auto& map, ResumeParams& resume) {
  map.choice("verify", resume.verify, kResumeVerifyNames);
};

constexpr auto kRootFields = [](auto& map, PipelineConfig& config) {
  map.required_section("run", config.run, kRunFields);
  map.required_section("model", config.model_path, kModelFields);
  map.section("calibration", config.calibration, kCalibrationFields);
  map.section("compute", config.compute, kComputeFields);
  map.section("transform", config.transform, kTransformFields);
  map.section("binarize", config.binarize, kBinarizeFields);
  map.section_or_none("codebook", config.codebook, kCodebookFields);
  map.section("refine", config.refine, kRefineFields);
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

void check_perplexity(const YamlNode& root, const EvaluateParams& evaluate) {
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
    if (entry.join != TextJoin::kAuto && entry.source != TokenSource::kText) {
      config_error(list, "evaluate.perplexity", "join needs source: text");
    }
    if (!seen.insert(entry.name).second) {
      config_error(list, "evaluate.perplexity", "name '" + entry.name + "' is given twice");
    }
  }
}

void check_zero_shot(const YamlNode& root, const std::optional<ZeroShotParams>& params) {
  if (!params) {
    return;
  }
  const YamlNode& node = *root.find("evaluate")->find("zero_shot");
  const auto check = [&](bool holds, const char* text) {
    if (!holds) {
      config_error(node, "evaluate.zero_shot", text);
    }
  };
  check(params->data.empty() != params->requests.empty(), "expected either data or requests");
  const bool own = !params->data.empty();
  check(!own || !params->tasks.empty(), "data needs tasks: names of tasks or sets, [btc7]");
  check(own || params->add_bos == AddBos::kAuto,
        "add_bos needs data: a file of requests has BOS or not");
  check(own || params->limit == 0, "limit needs data: a file of requests is scored as a whole");
}

void check_combinations(const YamlNode& root, const BinarizeParams& binarize,
                        const std::optional<CodebookParams>& codebook, const RefineParams& refine,
                        const TransformParams& transform) {
  try {
    check_params(binarize, codebook);
    check_params(transform, binarize, codebook);
    check_params(refine, binarize, codebook);
  } catch (const ConfigError& error) {
    BTC_THROW(ConfigError, origin_of_first_key(root, error.what()), ": ", error.what());
  }
}

YamlNode to_tree(PipelineConfig config) {
  YamlNode root;
  FieldWriter writer(root);
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
  return read_config(std::move(root));
}

PipelineConfig read_config(YamlNode root) {
  apply_preset(root);
  PipelineConfig config;
  FieldReader reader(root, "");
  kRootFields(reader, config);
  reader.finish();
  check_perplexity(root, config.evaluate);
  check_zero_shot(root, config.evaluate.zero_shot);
  check_combinations(root, config.binarize, config.codebook, config.refine, config.transform);
  return config;
}

QuantizationParams load_quantization(const std::string& preset,
                                     const std::vector<std::string>& overrides) {
  YamlNode root;
  root.kind = YamlNode::Kind::kMap;
  root.origin = "settings";
  if (!preset.empty()) {
    YamlNode name;
    name.kind = YamlNode::Kind::kScalar;
    name.text = preset;
    name.quoted = true;
    name.origin = "--preset " + preset;
    root.entries.push_back({"preset", std::move(name)});
  }
  for (const auto& text : overrides) {
    apply_override(root, text);
  }
  apply_preset(root);
  QuantizationParams params;
  RefineParams refine;  // a preset may say these; they are for whole models
  TransformParams transform;
  FieldReader reader(root, "");
  reader.section("binarize", params.binarize, kBinarizeFields);
  reader.section_or_none("codebook", params.codebook, kCodebookFields);
  reader.section("refine", refine, kRefineFields);
  reader.section("transform", transform, kTransformFields);
  reader.finish();
  check_combinations(root, params.binarize, params.codebook, refine, transform);
  return params;
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
