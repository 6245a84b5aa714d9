/// `--plan` on configurations of real models, without their weights.

#include <gmock/gmock.h>

#include <map>
#include <nlohmann/json.hpp>
#include <set>
#include <sstream>

#include "io/atomic_file.hpp"
#include "support/pipeline_run.hpp"

namespace btc::test {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;
using ::testing::HasSubstr;

/// The four numbers of `predicted bits  nominal A  sign B  stored C  model D`.
std::map<std::string, double> predicted_bits(const std::string& text) {
  const std::string mark = "predicted bits";
  const std::size_t at = text.find(mark);
  std::map<std::string, double> bits;
  if (at != std::string::npos) {
    std::istringstream words(text.substr(at + mark.size(), text.find('\n', at) - at - mark.size()));
    std::string name;
    double value = 0;
    while (words >> name >> value) {
      bits[name] = value;
    }
  }
  return bits;
}

/// Makes a directory that holds nothing but this config.json, and plans a run on it.
class PlanCommand : public ::testing::Test {
 protected:
  ProcessResult plan(const std::string& config_json, int ranks = 1) {
    const fs::path model = scratch_.path() / "model";
    fs::create_directories(model);
    write_text_file(model / "config.json", config_json);
    write_text_file(scratch_.path() / "run.yaml",
                    "run: {dir: " + run_dir().string() + "}\nmodel: {path: " + model.string() +
                        "}\ncodebook: {vector_length: 16, target_bits: 0.8}\n");
    return run_process(under_mpi(ranks, {program("btc_pipeline"), "--plan", "--config",
                                         (scratch_.path() / "run.yaml").string()}));
  }
  [[nodiscard]] fs::path run_dir() const { return scratch_.path() / "run"; }

  const Scratch scratch_{"plan-command"};
};

class PlanOfRealModels : public PlanCommand {
 protected:
  void SetUp() override {
    if (!fs::is_directory(kConfigs)) {
      GTEST_SKIP() << kConfigs << " is not there";
    }
    for (const auto& entry : fs::directory_iterator(kConfigs)) {
      texts_[entry.path().filename().string()] = read_text_file(entry.path());
    }
    ASSERT_FALSE(texts_.empty());
  }
  static constexpr const char* kConfigs = BTC_SOURCE_DIR "/../shared/data/configs";
  std::map<std::string, std::string> texts_;
};

TEST_F(PlanOfRealModels, PrintsFourBitNumbersOrRefusesTheFamily) {
  const std::set<std::string> supported = {"llama", "mistral", "qwen2", "qwen3"};
  for (const auto& [file, text] : texts_) {
    SCOPED_TRACE(file);
    const std::string family = json::parse(text).at("model_type");
    const ProcessResult result = plan(text);
    if (!supported.contains(family)) {
      EXPECT_EQ(result.exit_code, 2) << result.text();
      EXPECT_THAT(result.text(), HasSubstr("model_type \"" + family + "\": not supported"));
      continue;
    }
    ASSERT_EQ(result.exit_code, 0) << result.text();
    const auto bits = predicted_bits(result.out);
    ASSERT_EQ(bits.size(), 4U) << result.out;
    EXPECT_NEAR(bits.at("nominal"), 0.8, 1e-3);
    EXPECT_GT(bits.at("sign"), bits.at("nominal"));
    EXPECT_GT(bits.at("stored"), bits.at("sign"));
    EXPECT_GT(bits.at("model"), bits.at("stored")) << "embedding and head are not quantized";
    EXPECT_LT(bits.at("model"), 16);
  }
}

TEST_F(PlanOfRealModels, CountsTheParametersThatTheirMakersState) {
  const std::map<std::string, std::string> parameters = {
      {"litgpt_Llama-2-7b-hf.config.json", "6738415616"},
      {"litgpt_Llama-2-70b-hf.config.json", "68976648192"},
      {"litgpt_Llama-3-8B.config.json", "8030261248"},
      {"mlc_llama3_2_1b.config.json", "1235814400"},
      {"mlc_tinyllama_1b_chat_v1.0.config.json", "1100048384"},
      {"mlc_smollm_135m.config.json", "134515008"},
      {"mlc_qwen2_0_5b.config.json", "494032768"},
      {"mlc_qwen3_0.6b.config.json", "596049920"}};
  for (const auto& [file, count] : parameters) {
    ASSERT_TRUE(texts_.contains(file)) << file;
    EXPECT_THAT(plan(texts_.at(file)).out, HasSubstr(count + " parameters")) << file;
  }
}

TEST_F(PlanCommand, IsPrintedOnceAndWritesNothing) {
  const Scratch toy("plan-toy");
  write_toy_model(toy.path(), {.max_position = 2048});
  const ProcessResult result = plan(read_text_file(toy.path() / "config.json"), 3);
  ASSERT_EQ(result.exit_code, 0) << result.text();
  EXPECT_EQ(result.out.find("predicted bits"), result.out.rfind("predicted bits"));
  EXPECT_FALSE(fs::exists(run_dir()));
}

TEST_F(PlanCommand, NamesAllThatIsUnsupported) {
  const Scratch toy("plan-toy");
  write_toy_model(toy.path(), {.family = "qwen2", .max_position = 2048});
  json config = json::parse(read_text_file(toy.path() / "config.json"));
  config["hidden_act"] = "gelu";
  config["num_experts"] = 8;
  config["use_sliding_window"] = true;
  config["sliding_window"] = 128;
  config["max_window_layers"] = 0;
  const ProcessResult result = plan(config.dump(), 2);
  EXPECT_EQ(result.exit_code, 2);
  for (const char* const field : {"hidden_act", "num_experts", "sliding_window"}) {
    EXPECT_THAT(result.text(), HasSubstr(field));
  }
}

TEST(Plan, PredictsTheLedgerOfTheRun) {
  const ToyBench bench("plan-predicts", {.hidden = 64, .intermediate = 160, .heads = 8});
  bench.configure("toy", {.binarize = "{salient: none}"});
  const ProcessResult result = bench.start("toy", 1);
  ASSERT_EQ(result.exit_code, 0) << result.text();
  const json planned = json::parse(read_text_file(bench.run_dir("toy") / "plan.json"));
  const json results = json::parse(read_text_file(bench.run_dir("toy") / "results.json"));
  const json& found = results.at("btc");
  std::map<std::string, double> bytes;
  for (const json& line : found.at("ledger")) {
    bytes[line.at("category")] = line.at("bytes");
  }
  std::set<std::string> categories;
  for (const json& line : planned.at("ledger")) {
    const std::string category = line.at("category");
    categories.insert(category);
    const bool estimated = category == "container" || category == "residual";
    EXPECT_NEAR(line.at("bytes").get<double>(), bytes[category],
                estimated ? 0.25 * bytes[category] : 0)
        << category;
  }
  for (const auto& [category, count] : bytes) {
    EXPECT_TRUE(categories.contains(category)) << category << " was not predicted";
  }
  EXPECT_DOUBLE_EQ(planned.at("bits").at("nominal"), found.at("bits").at("nominal"));
}

}  // namespace
}  // namespace btc::test
