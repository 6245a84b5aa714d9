#include "model/model_config.hpp"

#include <gmock/gmock.h>

#include <filesystem>
#include <fstream>
#include <map>

#include "common/error.hpp"

namespace btc {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

constexpr std::string_view kLlama = R"({
  "architectures": ["LlamaForCausalLM"], "model_type": "llama", "hidden_size": 48,
  "intermediate_size": 100, "num_hidden_layers": 3, "num_attention_heads": 6,
  "num_key_value_heads": 2, "vocab_size": 97, "hidden_act": "silu", "rms_norm_eps": 1e-5 EXTRA})";

std::string with(std::string_view extra) {
  std::string text(kLlama);
  return text.replace(text.find(" EXTRA"), 6, extra);
}

ModelConfig parse(std::string_view extra = "") { return parse_model_config(with(extra), "test"); }

std::string refusal(const std::string& json) {
  try {
    parse_model_config(json, "dir/config.json");
  } catch (const InputError& error) {
    return error.what();
  }
  return "accepted";
}

std::string refusal_with(std::string_view extra) { return refusal(with(extra)); }

TEST(ModelConfig, ReadsSizesAndFillsInTheDefaultsOfTheFamily) {
  const ModelConfig config = parse();
  EXPECT_EQ(config.family, "llama");
  EXPECT_EQ(config.head_dim, 8U);
  EXPECT_EQ(config.max_position, 2048U);
  EXPECT_EQ(config.norm_eps, 1e-5);
  EXPECT_EQ(config.rope_theta, 10000.0);
  EXPECT_EQ(config.bos_id, 1);
  EXPECT_FALSE(config.tied_head);
  EXPECT_FALSE(parse(R"(, "bos_token_id": null)").bos_id.has_value());
  EXPECT_FALSE(config.llama3_rope.has_value());
  EXPECT_EQ(config.source_sha256.size(), 64U);
}

TEST(ModelConfig, ShapesFollowGroupedKeysAndExplicitHeadDim) {
  const ModelConfig config = parse(R"(, "head_dim": 10, "tie_word_embeddings": true)");
  using Shape = std::array<std::size_t, 2>;
  EXPECT_EQ(linear_shape(config, LinearKind::kQ), (Shape{60, 48}));
  EXPECT_EQ(linear_shape(config, LinearKind::kV), (Shape{20, 48}));
  EXPECT_EQ(linear_shape(config, LinearKind::kO), (Shape{48, 60}));
  EXPECT_EQ(linear_shape(config, LinearKind::kDown), (Shape{48, 100}));
  EXPECT_EQ(input_width(config, SharedInput::kO), 60U);
  EXPECT_EQ(block_tensors(config, 2).size(), 9U);
  EXPECT_EQ(outer_tensors(config).size(), 2U);
  const std::uint64_t linears = 60 * 48 + 2 * 20 * 48 + 48 * 60 + 3 * 48 * 100;
  EXPECT_EQ(linear_weight_count(config), 3 * linears);
  EXPECT_EQ(parameter_count(config), 3 * (linears + 2 * 48) + 97 * 48 + 48);
}

TEST(ModelConfig, BiasesAndNormsFollowTheFamily) {
  const ModelConfig llama = parse(R"(, "attention_bias": true, "mlp_bias": false)");
  EXPECT_TRUE(llama.bias[index_of(LinearKind::kO)]);
  EXPECT_FALSE(llama.bias[index_of(LinearKind::kUp)]);
  const std::string sizes = R"("hidden_size": 64, "intermediate_size": 90, "num_hidden_layers": 1,
      "num_attention_heads": 4, "vocab_size": 50)";
  const ModelConfig qwen2 = parse_model_config("{\"model_type\": \"qwen2\", " + sizes + "}", "t");
  EXPECT_TRUE(qwen2.bias[index_of(LinearKind::kV)]);
  EXPECT_FALSE(qwen2.bias[index_of(LinearKind::kO)]);
  EXPECT_FALSE(qwen2.bos_id.has_value());
  EXPECT_EQ(qwen2.kv_heads, 4U);
  const ModelConfig qwen3 = parse_model_config("{\"model_type\": \"qwen3\", " + sizes + "}", "t");
  EXPECT_TRUE(qwen3.qk_norm);
  EXPECT_EQ(qwen3.head_dim, 128U);
  EXPECT_EQ(block_tensors(qwen3, 0).back().name, "model.layers.0.self_attn.k_norm.weight");
}

TEST(ModelConfig, ReadsLlama3RopeInBothSpellings) {
  const ModelConfig old = parse(R"(, "rope_theta": 5e5, "rope_scaling": {"rope_type": "llama3",
      "factor": 8.0, "low_freq_factor": 1, "high_freq_factor": 4.0,
      "original_max_position_embeddings": 8192})");
  const ModelConfig recent =
      parse(R"(, "rope_parameters": {"rope_type": "llama3", "rope_theta": 5e5,
      "factor": 8.0, "low_freq_factor": 1, "high_freq_factor": 4.0,
      "original_max_position_embeddings": 8192})");
  for (const ModelConfig& config : {old, recent}) {
    ASSERT_TRUE(config.llama3_rope.has_value());
    EXPECT_EQ(config.rope_theta, 5e5);
    EXPECT_EQ(config.llama3_rope->factor, 8.0);
    EXPECT_EQ(config.llama3_rope->original_max_position, 8192.0);
  }
  EXPECT_THAT(refusal_with(R"(, "rope_scaling": {"rope_type": "llama3", "factor": 8.0})"),
              AllOf(HasSubstr("3 problems"), HasSubstr("rope_scaling.low_freq_factor: missing")));
}

TEST(ModelConfig, AllProblemsComeInOneMessage) {
  const std::string message = refusal(R"({"model_type": "llama", "hidden_size": "48",
      "intermediate_size": -3, "num_attention_heads": 6, "vocab_size": 97, "hidden_act": "gelu",
      "num_local_experts": 8, "rope_scaling": {"type": "yarn", "factor": 4},
      "tie_word_embeddings": "yes"})");
  EXPECT_THAT(message, HasSubstr("dir/config.json: 7 problems"));
  EXPECT_THAT(message, HasSubstr("hidden_size: expected a whole number >= 0, found \"48\""));
  EXPECT_THAT(message, HasSubstr("intermediate_size: expected a whole number >= 0, found -3"));
  EXPECT_THAT(message, HasSubstr("num_hidden_layers: missing"));
  EXPECT_THAT(message, HasSubstr("hidden_act 'gelu'"));
  EXPECT_THAT(message, HasSubstr("num_local_experts 8"));
  EXPECT_THAT(message, HasSubstr("rope_scaling of type 'yarn'"));
  EXPECT_THAT(message, HasSubstr("tie_word_embeddings: expected true or false, found \"yes\""));
}

TEST(ModelConfig, ANumberOfLayersThatNoModelHasIsRefused) {
  const auto with_layers = [](const char* layers) {
    return refusal(concat(R"({"model_type": "llama", "hidden_size": 48, "intermediate_size": 100,
        "num_attention_heads": 6, "vocab_size": 97, "num_hidden_layers": )",
                          layers, "}"));
  };
  EXPECT_THAT(with_layers("1000000000"),
              HasSubstr("num_hidden_layers 1000000000: expected at most 10000"));
}

TEST(ModelConfig, RefusesEachFieldThatWouldChangeTheResult) {
  const std::map<std::string, std::string> cases = {
      {R"(, "sliding_window": 512)", "sliding_window 512"},
      {R"(, "layer_types": ["full_attention", "sliding_attention"])", "layer_types"},
      {R"(, "partial_rotary_factor": 0.5)", "partial_rotary_factor"},
      {R"(, "quantization_config": {"bits": 4})", "quantization_config"},
      {R"(, "final_logit_softcapping": 30.0)", "final_logit_softcapping"},
      {R"(, "qk_norm": true)", "qk_norm"},
      {R"(, "num_key_value_heads": 4)", "num_key_value_heads 4"},
      {R"(, "head_dim": 7)", "head_dim 7"},
      {R"(, "num_attention_heads": 10)", "num_attention_heads 10"},
      {R"(, "bos_token_id": 97)", "bos_token_id 97"},
      {R"(, "rms_norm_eps": 0)", "rms_norm_eps"},
      {R"(, "architectures": ["LlamaForSequenceClassification"])", "architectures"}};
  for (const auto& [extra, expected] : cases) {
    EXPECT_THAT(refusal_with(extra), HasSubstr(expected)) << extra;
  }
}

TEST(ModelConfig, NeutralValuesAreNoReasonToRefuse) {
  EXPECT_NO_THROW(parse(R"(, "sliding_window": null, "use_sliding_window": false, "num_experts": 0,
      "rope_scaling": null, "rope_scaling": {"rope_type": "default"}, "pretraining_tp": 2,
      "layer_types": ["full_attention"], "attn_logit_softcapping": null,
      "eos_token_id": [2, 3])"));
  EXPECT_NO_THROW(parse(R"(, "sliding_window": 2048)"));  // never shorter than the positions
}

TEST(ModelConfig, MistralWithoutWordOnTheWindowHasOne) {
  std::string text = with(R"(, "max_position_embeddings": 32768)");
  text.replace(text.find("LlamaFor"), 5, "Mistral");
  text.replace(text.find("\"llama\""), 7, "\"mistral\"");
  EXPECT_THAT(refusal(text), HasSubstr("sliding_window 4096 (the family's default)"));
  text.insert(text.rfind('}'), R"(, "sliding_window": null)");
  EXPECT_EQ(refusal(text), "accepted");
}

TEST(ModelConfig, SaysWhatIsWrongWithTheFile) {
  EXPECT_THAT(refusal("{"), HasSubstr("dir/config.json: not valid JSON"));
  EXPECT_THAT(refusal("[]"), HasSubstr("expected a JSON object, found array"));
  EXPECT_THAT(
      refusal(R"({"model_type": "opt"})"),
      HasSubstr("model_type \"opt\": not supported, expected one of llama, mistral, qwen2"));
  EXPECT_THAT(refusal("{}"), HasSubstr("model_type absent"));
  EXPECT_THROW(load_model_config("/nonexistent"), InputError);
}

TEST(ModelConfig, EveryConfigurationOfASupportedFamilyIsRead) {
  const std::filesystem::path folder = BTC_SOURCE_DIR "/../shared/data/configs";
  if (!std::filesystem::is_directory(folder)) {
    GTEST_SKIP() << "no folder " << folder;
  }
  const std::map<std::string, std::uint64_t> parameters = {
      {"easylm_llama1_7b.config.json", 6738415616},  {"FBI-LLM_llama2_7B.json", 6738415616},
      {"mlc_llama3_1_8b.config.json", 8030261248},   {"mlc_qwen2_0_5b.config.json", 494032768},
      {"litgpt_Qwen3-8B.config.json", 8190735360},   {"mlc_smollm_135m.config.json", 134515008},
      {"easylm_llama1_65b.config.json", 65285660672}};
  std::size_t accepted = 0;
  std::size_t checked = 0;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    std::ifstream stream(entry.path());
    const std::string text{std::istreambuf_iterator<char>(stream), {}};
    const std::string name = entry.path().filename();
    if (name.find("_opt_") != std::string::npos) {
      EXPECT_THAT(refusal(text), HasSubstr("model_type \"opt\": not supported")) << name;
      continue;
    }
    EXPECT_EQ(refusal(text), "accepted") << name;
    ++accepted;
    if (const auto it = parameters.find(name); it != parameters.end()) {
      EXPECT_EQ(parameter_count(parse_model_config(text, name)), it->second) << name;
      ++checked;
    }
  }
  EXPECT_GE(accepted, 25U);
  EXPECT_EQ(checked, parameters.size());
}

}  // namespace
}  // namespace btc
