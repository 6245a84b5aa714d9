#include "pack/packed_config.hpp"

#include <array>
#include <nlohmann/json.hpp>
#include <set>

#include "io/format_version.hpp"
#include "io/json_check.hpp"
#include "pack/linear_layout.hpp"

namespace btc {
namespace {

using nlohmann::ordered_json;

constexpr const char* kKey = "quantization_config";
constexpr std::string_view kQuantMethod = "btc";
constexpr int kMaxDepth = 16;
constexpr std::array<std::string_view, 2> kIndexCodingNames = {"fixed", "radix"};
/// Value of `column_scale` where each group has its own.
constexpr std::string_view kGroupColumnScale = "group";
constexpr std::array<std::string_view, 2> kScaleTypeNames = {"F16", "I8"};
constexpr std::array<std::string_view, 2> kGroupMapNames = {"dense", "rice"};
/// The second plane as bits, or by the same codewords as the first, in layout `masked`.
constexpr std::array<std::string_view, 2> kResidualNames = {"raw", "coded"};

constexpr std::array<std::string_view, 4> kStoredCodecNames = {"none", "codebook", "linear_20_16",
                                                               "uniform"};

std::string_view codec_name(const PackedFormat& format) {
  if (format.level_bits > 0) {
    return kStoredCodecNames[3];
  }
  if (format.vector_length == 0) {
    return kStoredCodecNames[0];
  }
  return kStoredCodecNames.at(stores_codebook(format) ? 1 : 2);
}

/// What is done to the inputs of the Linears: online by stored factors, or merged into norms,
/// v_proj and up_proj. The same for every model that has a transform.
ordered_json transform_json() {
  return {{"dtype", "F16"},
          {"online", {"qkv", "o", "gate_up", "down"}},
          {"merged", {"sign", "v_head"}}};
}

ordered_json to_json(const PackedFormat& format, const BitNumbers& bits, bool tied_head) {
  ordered_json config = {{"quant_method", kQuantMethod},
                         {"format", kPackedFormatName},
                         {"format_version", kPackedVersion},
                         {"codec", codec_name(format)}};
  if (format.vector_length > 0) {
    config["vector_length"] = format.vector_length;
    config["codebook_size"] = format.codebook_size;
    if (stores_codebook(format)) {
      config["scope"] = kCodebookScopeNames.at(static_cast<std::size_t>(format.scope));
    }
    config["index_coding"] = kIndexCodingNames.at(static_cast<std::size_t>(format.index_coding));
  }
  if (format.level_bits > 0) {
    config["level_bits"] = format.level_bits;
  }
  config["layout"] = kCodebookLayoutNames.at(format.masked ? 1 : 0);
  config["split_points"] = format.groups - 1;
  config["group_map"] = kGroupMapNames.at(format.rice_group_map ? 1 : 0);
  config["panel"] = format.panel;
  config["scale_dtype"] = kScaleTypeNames.at(format.int8_scales ? 1 : 0);
  config["mean"] = format.mean;
  if (format.group_column_scale) {
    config["column_scale"] = kGroupColumnScale;
  } else {
    config["column_scale"] = format.column_scale;
  }
  if (format.group_ratio) {
    config["group_ratio"] = true;
  }
  if (format.column_mean) {
    config["column_mean"] = true;
  }
  config["salient"] = format.salient;
  config["residual"] = kResidualNames.at(format.masked ? 1 : 0);
  config["salient_groups"] = format.salient_groups;
  if (format.transform) {
    config["transform"] = transform_json();
  }
  config["not_quantized"] = ordered_json::array();
  if (!tied_head) {
    config["not_quantized"].push_back("lm_head");
  }
  config["not_quantized"].push_back("model.embed_tokens");
  config["bits"] = {{"nominal_bits", bits.nominal},
                    {"sign_bits", bits.sign},
                    {"stored_bits", bits.stored},
                    {"model_bits", bits.model}};
  return config;
}

/// Hands out the fields of an object and knows which were never asked for.
class StrictObject {
 public:
  StrictObject(const ordered_json& object, std::string origin)
      : object_(object), origin_(std::move(origin)) {
    BTC_REQUIRE(FormatError, object_.is_object(), origin_, ": expected an object");
  }

  const ordered_json& at(const char* key) {
    asked_.insert(key);
    const auto entry = object_.find(key);
    BTC_REQUIRE(FormatError, entry != object_.end(), origin_, ": ", key, " is missing");
    return *entry;
  }
  [[nodiscard]] bool has(const char* key) const { return object_.contains(key); }
  void expect(const char* key, const ordered_json& value) {
    const ordered_json& found = at(key);
    BTC_REQUIRE(FormatError, found == value, origin_, ": ", key, ": got ", found.dump(),
                ", expected ", value.dump());
  }
  std::string text(const char* key) {
    const ordered_json& value = at(key);
    BTC_REQUIRE(FormatError, value.is_string(), origin_, ": ", key, ": got ", value.dump(),
                ", expected a text");
    return value.get<std::string>();
  }
  std::uint64_t integer(const char* key, std::uint64_t limit) {
    const ordered_json& value = at(key);
    BTC_REQUIRE(FormatError, value.is_number_unsigned() && value.get<std::uint64_t>() <= limit,
                origin_, ": ", key, ": got ", value.dump(), ", expected 0..", limit);
    return value.get<std::uint64_t>();
  }
  double number(const char* key) {
    const ordered_json& value = at(key);
    BTC_REQUIRE(FormatError, value.is_number(), origin_, ": ", key, ": got ", value.dump(),
                ", expected a number");
    return value.get<double>();
  }
  bool flag(const char* key) {
    const ordered_json& value = at(key);
    BTC_REQUIRE(FormatError, value.is_boolean(), origin_, ": ", key, ": got ", value.dump(),
                ", expected true or false");
    return value.get<bool>();
  }
  template <std::size_t N>
  std::size_t choice(const char* key, const std::array<std::string_view, N>& names) {
    const std::string value = text(key);
    std::string allowed;
    for (std::size_t i = 0; i < N; ++i) {
      if (names.at(i) == value) {
        return i;
      }
      allowed += concat(i > 0 ? ", " : "", names.at(i));
    }
    BTC_THROW(FormatError, origin_, ": ", key, ": got \"", value, "\", expected one of ", allowed);
  }
  void refuse_unknown() const {
    for (const auto& [key, value] : object_.items()) {
      BTC_REQUIRE(FormatError, asked_.contains(key), origin_, ": unknown key \"", key, "\"");
    }
  }

 private:
  const ordered_json& object_;
  std::string origin_;
  std::set<std::string> asked_;
};

PackedFormat read_format(StrictObject& config) {
  constexpr std::uint64_t kMaxInteger = std::uint64_t{1} << 24U;
  const auto only = [&](const char* key, std::string_view value) {
    config.choice(key, std::array{value});
  };
  PackedFormat format;
  only("quant_method", kQuantMethod);
  only("format", kPackedFormatName);
  const std::size_t codec = config.choice("codec", kStoredCodecNames);
  if (codec == 3) {
    format.level_bits = static_cast<int>(config.integer("level_bits", 8));
  } else if (codec > 0) {
    format.codec = codec == 1 ? Codec::kLearned : Codec::kLinear2016;
    format.vector_length = static_cast<int>(config.integer("vector_length", kMaxVectorLength));
    format.codebook_size = config.integer("codebook_size", kMaxInteger);
    format.scope = codec == 1
                       ? static_cast<CodebookScope>(config.choice("scope", kCodebookScopeNames))
                       : CodebookScope::kModel;
    format.index_coding =
        static_cast<IndexCoding>(config.choice("index_coding", kIndexCodingNames));
  }
  format.masked = config.choice("layout", kCodebookLayoutNames) == 1;
  format.groups = config.integer("split_points", 3) + 1;
  format.rice_group_map = config.choice("group_map", kGroupMapNames) == 1;
  format.panel = config.integer("panel", kMaxInteger);
  format.int8_scales = config.choice("scale_dtype", kScaleTypeNames) == 1;
  format.mean = config.flag("mean");
  format.group_column_scale = config.at("column_scale") == kGroupColumnScale;
  format.column_scale = format.group_column_scale || config.flag("column_scale");
  format.group_ratio = config.has("group_ratio") && config.flag("group_ratio");
  format.column_mean = config.has("column_mean") && config.flag("column_mean");
  format.salient = config.flag("salient");
  only("residual", kResidualNames.at(format.masked ? 1 : 0));
  format.salient_groups = config.integer("salient_groups", kMaxSalientGroups);
  if (config.has("transform")) {
    config.expect("transform", transform_json());
    format.transform = true;
  }
  return format;
}

ordered_json parse_object(const std::string& text, std::string_view origin) {
  check_json(text, origin, kMaxDepth);
  ordered_json object = ordered_json::parse(text);
  BTC_REQUIRE(FormatError, object.is_object(), origin, ": expected a JSON object");
  return object;
}

/// `rope_parameters` under the names that readers before it look for. Without them those take their
/// defaults and say nothing.
void add_older_rope_names(ordered_json& config) {
  if (!config.contains("rope_parameters") || !config["rope_parameters"].is_object()) {
    return;
  }
  ordered_json scaling = config["rope_parameters"];
  if (scaling.contains("rope_theta")) {
    config["rope_theta"] = scaling["rope_theta"];
    scaling.erase("rope_theta");
  }
  const std::string type = scaling.value("type", "default");
  if (scaling.value("rope_type", type) != "default") {
    config["rope_scaling"] = scaling;
  }
}

std::string to_text(const ordered_json& config) { return config.dump(2) + "\n"; }

}  // namespace

std::string add_quantization_config(const std::string& source_config, std::string_view origin,
                                    const PackedFormat& format, const BitNumbers& bits,
                                    bool tied_head) {
  ordered_json config = parse_object(source_config, origin);
  BTC_REQUIRE(InputError, !config.contains(kKey), origin, ": has ", kKey,
              ", expected a model that is not quantized");
  config[kKey] = to_json(format, bits, tied_head);
  return to_text(config);
}

bool describes_packed_model(const std::string& config_text) {
  const auto config = nlohmann::json::parse(config_text, nullptr, false);
  const auto method = nlohmann::json::json_pointer(concat("/", kKey, "/quant_method"));
  return config.is_object() && config.contains(method) && config[method] == kQuantMethod;
}

PackedConfig read_packed_config(const std::string& text, std::string_view origin) {
  ordered_json config = parse_object(text, origin);
  BTC_REQUIRE(FormatError, config.contains(kKey), origin, ": ", kKey,
              " is missing: not a packed model");
  const std::string where = concat(origin, ": ", kKey);
  StrictObject reader(config[kKey], where);
  check_version(reader.text("format_version"), kPackedVersion, where);
  PackedConfig result;
  result.format = read_format(reader);
  check_format(result.format, where);
  BTC_REQUIRE(FormatError, reader.at("not_quantized").is_array(), where,
              ": not_quantized is not a list");
  StrictObject bits(reader.at("bits"), where + ".bits");
  result.bits = {bits.number("nominal_bits"), bits.number("sign_bits"), bits.number("stored_bits"),
                 bits.number("model_bits")};
  bits.refuse_unknown();
  reader.refuse_unknown();
  config.erase(kKey);
  result.source = to_text(config);
  return result;
}

std::string dense_config(const std::string& source_config, std::string_view dtype) {
  ordered_json config = parse_object(source_config, "config.json");
  for (const char* key : {"dtype", "torch_dtype"}) {  // the newer name and the older one
    if (config.contains(key)) {
      config[key] = dtype;
    }
  }
  if (!config.contains("dtype")) {
    config["torch_dtype"] = dtype;
  }
  add_older_rope_names(config);
  return to_text(config);
}

}  // namespace btc
