/// `btc generate` and `btc inspect` on what a run packs.

#include <gmock/gmock.h>

#include <algorithm>
#include <cctype>
#include <nlohmann/json.hpp>

#include "common/error.hpp"
#include "io/atomic_file.hpp"
#include "support/pipeline_run.hpp"

namespace btc::test {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;
using ::testing::AnyOf;
using ::testing::HasSubstr;
using ::testing::Not;

fs::path example_model() { return BTC_SOURCE_DIR "/examples/wiki-llama-7m"; }

ProcessResult generate(const fs::path& model, const std::vector<std::string>& more,
                       const std::string& prompt = "The tower was") {
  std::vector<std::string> command = {program("btc"), "generate", "--model",
                                      model.string(), "--prompt", prompt};
  command.insert(command.end(), more.begin(), more.end());
  return run_process(command);
}

/// A number behind a word of a report.
std::uint64_t number_after(const std::string& text, const std::string& word) {
  const std::size_t at = text.find(word);
  EXPECT_NE(at, std::string::npos) << text;
  return std::stoull(text.substr(at + word.size()));
}

TEST(GenerateCommand, GoesOnWithATextAndSaysWhatItTook) {
  const ProcessResult result =
      generate(example_model(), {"--max-tokens", "20", "--temperature", "0"});
  ASSERT_EQ(result.exit_code, 0) << result.text();
  EXPECT_TRUE(result.out.starts_with("The tower was ")) << result.out;
  for (const char* const part : {"prompt  ", "generation  ", "tokens/s", "bf16"}) {
    EXPECT_THAT(result.err, HasSubstr(part));
  }
  // 4,816,896 weights in bf16.
  EXPECT_GE(number_after(result.err, "Linears "), 2U * 4816896U);
  EXPECT_LT(number_after(result.err, "Linears "), 2U * 4816896U + 10000U);
}

TEST(GenerateCommand, DependsOnTheSeedAndNotOnThreads) {
  const std::vector<std::string> some = {"--max-tokens", "24", "--temperature", "1", "--seed"};
  const auto with = [&](const char* seed, const char* threads) {
    std::vector<std::string> more = some;
    more.insert(more.end(), {seed, "--threads", threads});
    const ProcessResult result = generate(example_model(), more);
    EXPECT_EQ(result.exit_code, 0) << result.text();
    return result.out;
  };
  const std::string first = with("1", "1");
  EXPECT_EQ(with("1", "2"), first);
  EXPECT_NE(with("2", "1"), first);
}

TEST(GenerateCommand, RefusesWhatMakesNoSense) {
  const auto refusal = [](const fs::path& model, const std::vector<std::string>& more) {
    const ProcessResult result = generate(model, more);
    EXPECT_NE(result.exit_code, 0) << result.text();
    return result.err;
  };
  EXPECT_THAT(refusal(example_model(), {"--weights", "packed"}), HasSubstr("no packed model"));
  EXPECT_THAT(refusal(example_model(), {"--weights", "1"}),
              HasSubstr("--weights: got '1', expected one of auto, packed, decoded"));
  EXPECT_THAT(refusal(example_model(), {"--top-p", "0"}), HasSubstr("top_p: got 0"));
  EXPECT_THAT(refusal(example_model(), {"--temperature", "-1"}), HasSubstr("temperature: got -1"));
  EXPECT_THAT(refusal(example_model(), {"--max-tokens", "-1"}),
              HasSubstr("--max-tokens: got '-1', expected a whole number of at least 0"));
  EXPECT_THAT(refusal(example_model(), {"--seed", "-1"}), HasSubstr("--seed: got '-1'"));
  EXPECT_THAT(refusal(example_model(), {"--threads", "0"}),
              HasSubstr("--threads: got '0', expected a whole number of at least 1"));
  EXPECT_THAT(refusal("/nowhere", {}), HasSubstr("/nowhere: no such directory"));
  std::string longer = "The";
  for (int i = 0; i < 600; ++i) {
    longer += " tower";
  }
  const ProcessResult too_long = generate(example_model(), {}, longer);
  EXPECT_NE(too_long.exit_code, 0);
  EXPECT_THAT(too_long.err, HasSubstr("expected fewer than 512"));
}

TEST(GenerateCommand, FailsWhereItsTextIsLost) {
  const ProcessResult result = run_process(
      {"sh", "-c", R"("$0" generate --model "$1" --prompt The --max-tokens 1 > /dev/full)",
       program("btc"), example_model().string()});
  EXPECT_NE(result.exit_code, 0);
  EXPECT_THAT(result.err, HasSubstr("standard output: cannot write"));
}

/// A toy with the tokenizer of the example, packed by a preset or by settings.
class PackedToy : public ::testing::TestWithParam<const char*> {
 protected:
  PackedToy() : bench_("generate-toy", {.intermediate = 96, .vocab_size = 4096}) {
    fs::copy_file(example_model() / "tokenizer.model", bench_.model() / "tokenizer.model");
  }
  void pack(const std::string& settings) {
    write_text_file(bench_.config("toy"),
                    concat("run: {dir: ", bench_.run_dir("toy").string(),
                           "}\nmodel: {path: ", bench_.model().string(),
                           "}\ncalibration: {source: ids, path: ", bench_.calibration().string(),
                           ", samples: 8, window: 32}\n", settings, "\n"));
    const ProcessResult result = bench_.start("toy", 1);
    ASSERT_EQ(result.exit_code, 0) << result.text();
  }
  [[nodiscard]] fs::path packed() const { return bench_.run_dir("toy") / "model"; }
  ToyBench bench_;
};

TEST_P(PackedToy, WritesTheSameTextPackedDecodedAndExported) {
  pack(concat("preset: ", GetParam()));
  const fs::path dense = bench_.root() / "dense";
  const ProcessResult exported =
      run_process({program("btc"), "export", "--model", packed().string(), "--out", dense.string(),
                   "--dtype", "fp32"});
  ASSERT_EQ(exported.exit_code, 0) << exported.text();
  const std::vector<std::string> greedy = {"--max-tokens", "30", "--temperature", "0"};
  const ProcessResult in_planes = generate(packed(), greedy);
  const ProcessResult from_dense = generate(dense, greedy);
  const ProcessResult decoded =
      generate(packed(), {"--max-tokens", "30", "--temperature", "0", "--weights", "decoded"});
  ASSERT_EQ(in_planes.exit_code, 0) << in_planes.text();
  EXPECT_EQ(from_dense.out, in_planes.out) << from_dense.text();
  EXPECT_EQ(decoded.out, in_planes.out) << decoded.text();
  EXPECT_LT(2 * number_after(in_planes.err, "Linears "), number_after(decoded.err, "Linears "));
  EXPECT_THAT(in_planes.err, HasSubstr("stopped by the number of tokens"));
  const ProcessResult to_the_end = generate(packed(), {"--max-tokens", "100000", "--seed", "1"});
  EXPECT_THAT(to_the_end.err, AnyOf(HasSubstr("stopped at the model's last position"),
                                    HasSubstr("the text ended")));
  fs::remove(packed() / "manifest.json");
  EXPECT_THAT(generate(packed(), {}).err, HasSubstr("manifest.json: missing"));
}

INSTANTIATE_TEST_SUITE_P(Presets, PackedToy,
                         ::testing::Values("stored_0.55", "btc_0.8", "billm", "arb_rc_cgb",
                                           "gptq_3"),
                         [](const auto& preset) {
                           std::string name = preset.param;
                           std::replace_if(
                               name.begin(), name.end(),
                               [](unsigned char c) { return std::isalnum(c) == 0; }, '_');
                           return name;
                         });

using InspectCommand = PackedToy;

TEST_F(InspectCommand, FindsErrorsAlsoBehindATransform) {
  pack("transform: {kind: random}\ncodebook: {vector_length: 16, target_bits: 0.8}");
  const fs::path plots = bench_.root() / "plots";
  const ProcessResult result =
      run_process({program("btc"), "inspect", packed().string(), "--json", "--original",
                   bench_.model().string(), "--plot", plots.string(), "--tokens", "16"});
  ASSERT_EQ(result.exit_code, 0) << result.text();
  const json object = json::parse(result.out);
  ASSERT_EQ(object.at("linears").size(), 14U);
  for (const json& linear : object.at("linears")) {
    // A random matrix would be at an error of about 1.4.
    EXPECT_LT(linear.at("relative_error").get<double>(), 0.8) << linear;
    EXPECT_GT(linear.at("relative_error").get<double>(), 0.05) << linear;
  }
  EXPECT_GE(object.at("run").size(), 2U);
  EXPECT_THAT(object.at("run").dump(), HasSubstr("relative error mean"));
  EXPECT_EQ(object.at("activations").at("tokens"), 16);
  for (const char* const name : {"weight_error.svg", "patterns.svg", "activations-o.svg"}) {
    EXPECT_TRUE(fs::exists(plots / name)) << name;
  }
}

TEST_F(InspectCommand, ShowsOnlyWhatIsAskedFor) {
  pack("codebook: none");
  const auto shown = [&](const std::vector<std::string>& more) {
    std::vector<std::string> command = {program("btc"), "inspect", packed().string()};
    command.insert(command.end(), more.begin(), more.end());
    const ProcessResult result = run_process(command);
    EXPECT_EQ(result.exit_code, 0) << result.text();
    return result.out;
  };
  EXPECT_THAT(shown({}), Not(HasSubstr("tensors\n")));
  EXPECT_THAT(shown({"--show", "tensors"}), HasSubstr("tensors\n"));
  const std::string two = shown({"--show", "groups,errors"});
  EXPECT_THAT(two, HasSubstr("groups"));
  EXPECT_THAT(two, HasSubstr("what the run recorded"));
  EXPECT_THAT(two, Not(HasSubstr("tensors\n")));
  const ProcessResult none =
      run_process({program("btc"), "inspect", packed().string(), "--show", "codebooks,errors"});
  EXPECT_THAT(none.err, HasSubstr("codebooks: none"));
  EXPECT_THAT(none.err, Not(HasSubstr("errors: no record")));
  fs::rename(packed(), bench_.root() / "alone");
  const ProcessResult alone = run_process(
      {program("btc"), "inspect", (bench_.root() / "alone").string(), "--show", "errors"});
  EXPECT_THAT(alone.err, HasSubstr("errors: no record of the run"));
  fs::rename(bench_.root() / "alone", packed());
  EXPECT_THAT(shown({"--run", bench_.run_dir("toy").string()}), HasSubstr("what the run recorded"));
  EXPECT_THAT(shown({"--original", bench_.model().string()}), HasSubstr("  error 0."));
  const json object = json::parse(shown({"--json", "--show", "tensors"}));
  EXPECT_FALSE(object.at("tensors").empty());
  EXPECT_TRUE(object.at("linears").empty());
}

}  // namespace
}  // namespace btc::test
