/// What is stored is what was measured: export, ledger, checksums, perplexity.

#include <gmock/gmock.h>

#include <cmath>
#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>

#include "io/atomic_file.hpp"
#include "support/pipeline_run.hpp"

namespace btc::test {
namespace {

using nlohmann::json;
using ::testing::HasSubstr;

const char* const kEvaluate = "{perplexity: [{name: toy, source: ids, path: TEXT, window: 32}]}";

struct Case {
  std::string name;
  ToyModel toy;
  ToySettings settings;
};

void PrintTo(const Case& test_case, std::ostream* out) {  // NOLINT(readability-identifier-naming)
  *out << test_case.name;
}

std::vector<Case> cases() {
  return {
      {"quickstart_settings", {}, {.evaluate = kEvaluate}},
      {"row_scales_qwen2_tied",
       {.family = "qwen2", .intermediate = 86, .tied_head = true, .dtype = DType::kF16},
       {.binarize = "{split_points: 1, split_rule: fraction, group_fractions: [0.05], scales: row, "
                    "salient: none, compensation: sequential}",
        .codebook = "{vector_length: 8, target_bits: 0.7, scope: block}",
        .refine = "{block_epochs: 2}",
        .evaluate = kEvaluate}},
      {"rtn_two_bits",
       {.intermediate = 86},
       {.binarize = "{uniform: rtn, uniform_bits: 2, split_points: 0, salient: none, panel: 16}",
        .codebook = "none",
        .refine = "{block_epochs: 1}",
        .evaluate = kEvaluate}},
      {"ratios_of_groups",
       {.intermediate = 86},
       {.binarize = "{split_points: 2, split_rule: magnitude, scales: row_ratio, panel: 16}",
        .codebook = "{vector_length: 4, target_bits: 0.8, scope: model}",
        .refine = "{block_epochs: 1}",
        .evaluate = kEvaluate}},
      {"eight_bit_scales",
       {.intermediate = 86},
       {.binarize = "{split_points: 1, scales: row_ratio_i8, salient: none}",
        .codebook = "{vector_length: 8, target_bits: 0.7}",
        .evaluate = kEvaluate}},
      {"given_scales",
       {.intermediate = 86, .binary = true},
       {.binarize = "{scales: given, split_points: 0, salient: none}",
        .codebook = "{vector_length: 8, target_bits: 0.6, refit: false}",
        .evaluate = kEvaluate}},
      {"codebook_of_each_panel",
       {.intermediate = 86},
       {.binarize = "{split_points: 1, panel: 24}",
        .codebook = "{vector_length: 8, target_bits: 0.5, scope: block_group}",
        .evaluate = kEvaluate}},
      {"longest_sub_vectors_in_radix_groups",
       {.intermediate = 86},
       {.binarize = "{split_points: 1}",
        .codebook = "{vector_length: 24, target_bits: 0.8}",
        .evaluate = kEvaluate}},
      {"longest_sub_vectors_few_codewords",
       {.intermediate = 86},
       {.binarize = "{split_points: 1}",
        .codebook = "{vector_length: 24, target_bits: 0.3, scope: block}",
        .evaluate = kEvaluate}},
      {"sets_with_their_own_codebooks",
       {.intermediate = 86},
       {.binarize = "{split_points: 2, split_rule: search, panel: 24, compensation: block}",
        .codebook = "{vector_length: 8, target_bits: 0.5, scope: block_group, layout: masked, "
                    "assignment: hamming, encode: post, refit: false}",
        .evaluate = kEvaluate}},
      {"linear_code",
       {.hidden = 40, .heads = 5, .kv_heads = 5},
       {.binarize = "{split_points: 1, salient: none}",
        .codebook = "{codec: linear_20_16, vector_length: 20}",
        .refine = "{block_epochs: 1, block_sign_learning_rate: 0.1, kd_epochs: 1, "
                  "kd_sign_learning_rate: 0.1}",
        .evaluate = kEvaluate}},
      {"no_codebook_qwen3",
       {.family = "qwen3",
        .hidden = 40,
        .heads = 3,
        .kv_heads = 1,
        .head_dim = 16,
        .dtype = DType::kF32},
       {.binarize = "{split_points: 2, split_rule: search, salient: search, compensation: block}",
        .codebook = "none",
        .refine = "{kd_epochs: 2, kd_learning_rate: 0.05}",
        .evaluate = kEvaluate}},
      {"random_transform_qwen2",
       {.family = "qwen2", .intermediate = 70, .heads = 4, .kv_heads = 2, .head_dim = 16},
       {.transform = "{kind: random}", .refine = "{block_epochs: 1}", .evaluate = kEvaluate}},
  };
}

/// subject -> perplexity of results.json.
std::map<std::string, double> perplexity_by_subject(const ToyBench& bench, const std::string& run) {
  const json results = json::parse(read_text_file(bench.run_dir(run) / "results.json"));
  std::map<std::string, double> values;
  for (const json& entry : results.at("btc").at("perplexity")) {
    values[entry.at("subject")] = entry.at("value");
  }
  return values;
}

ProcessResult inspect(const std::filesystem::path& model) {
  return run_process({program("btc"), "inspect", model.string()});
}

/// The number after `total` in what `btc inspect` prints.
std::uint64_t total_of_ledger(const std::string& text) {
  std::istringstream words(text.substr(text.find("ledger")));
  for (std::string word; words >> word;) {
    if (word == "total") {
      std::uint64_t total = 0;
      words >> total;
      return total;
    }
  }
  ADD_FAILURE() << "no total in: " << text;
  return 0;
}

class Dequantized : public ::testing::TestWithParam<Case> {};

TEST_P(Dequantized, ExportHasThePackedPerplexity) {
  const Case& given = GetParam();
  const ToyBench bench("dequantized", given.toy);
  bench.configure("packed", given.settings);
  const ProcessResult packed = bench.start("packed", 2);
  ASSERT_EQ(packed.exit_code, 0) << packed.text();
  const auto measured = perplexity_by_subject(bench, "packed");
  EXPECT_GT(std::abs(measured.at("packed") / measured.at("original") - 1), 1e-3)
      << "the packed model is the original";

  const auto dense = bench.root() / "dense";
  const ProcessResult exported = run_process({program("btc"), "export", "--model",
                                              (bench.run_dir("packed") / "model").string(), "--out",
                                              dense.string(), "--dtype", "fp32"});
  ASSERT_EQ(exported.exit_code, 0) << exported.text();
  bench.configure("dense", given.settings);
  const ProcessResult again =
      bench.start("dense", 1,
                  {"--set", "model.path=" + dense.string(), "--set", "binarize.iterations=0",
                   "--set", "evaluate.subjects=[original]"});
  ASSERT_EQ(again.exit_code, 0) << again.text();
  const auto loaded = perplexity_by_subject(bench, "dense");
  EXPECT_NEAR(loaded.at("original") / measured.at("packed"), 1, 1e-6);
}

INSTANTIATE_TEST_SUITE_P(Settings, Dequantized, ::testing::ValuesIn(cases()),
                         [](const auto& given) { return given.param.name; });

TEST(Export, RefusesAFormatThatItDoesNotWrite) {
  const ProcessResult result =
      run_process({program("btc"), "export", "--model", "m", "--out", "o", "--format", "gguf"});
  EXPECT_EQ(result.exit_code, 2);
  EXPECT_THAT(result.text(), HasSubstr("--format: gguf not in {hf}"));
}

TEST(Perplexity, DoesNotDependOnTheNumberOfRanks) {
  const ToyBench bench("perplexity", {.family = "qwen3", .heads = 3, .kv_heads = 1});
  std::vector<std::map<std::string, double>> values;
  for (const int ranks : {1, 2, 3}) {
    const std::string run = std::to_string(ranks);
    bench.configure(run, {.codebook = "none",
                          .evaluate = "{perplexity: [{name: toy, source: ids, path: TEXT, window: "
                                      "32}], windows_in_memory: 4}"});
    const ProcessResult result = bench.start(run, ranks);
    ASSERT_EQ(result.exit_code, 0) << result.text();
    values.push_back(perplexity_by_subject(bench, run));
  }
  EXPECT_EQ(values[1], values[0]);
  EXPECT_EQ(values[2], values[0]);
}

TEST(Inspect, PrintsALedgerThatSumsToTheFiles) {
  const ToyBench bench("ledger", {});
  bench.configure("toy", {});
  const ProcessResult result = bench.start("toy", 2);
  ASSERT_EQ(result.exit_code, 0) << result.text();
  std::uint64_t on_disk = 0;
  for (const auto& entry : std::filesystem::directory_iterator(bench.run_dir("toy") / "model")) {
    on_disk += entry.path().extension() == ".safetensors" ? entry.file_size() : 0;
  }
  const ProcessResult inspected = inspect(bench.run_dir("toy") / "model");
  ASSERT_EQ(inspected.exit_code, 0) << inspected.text();
  EXPECT_EQ(total_of_ledger(inspected.out), on_disk);
  const json results = json::parse(read_text_file(bench.run_dir("toy") / "results.json"));
  EXPECT_EQ(results.at("btc").at("total_bytes"), on_disk);
}

TEST(Inspect, NamesAFileWithOneFlippedBit) {
  const ToyBench bench("flipped", {});
  bench.configure("toy", {});
  const ProcessResult result = bench.start("toy", 2);
  ASSERT_EQ(result.exit_code, 0) << result.text();
  const auto model = bench.run_dir("toy") / "model";
  std::size_t files = 0;
  for (const auto& entry : std::filesystem::directory_iterator(model)) {
    const std::string good = read_bytes(entry.path());
    for (const std::size_t at : {std::size_t{9}, good.size() / 2, good.size() - 3}) {
      std::string bad = good;
      bad[at] = static_cast<char>(bad[at] ^ 1);
      write_bytes(entry.path(), bad);
      const ProcessResult inspected = inspect(model);
      EXPECT_NE(inspected.exit_code, 0) << entry.path() << ", byte " << at;
      EXPECT_THAT(inspected.err, HasSubstr(entry.path().filename().string())) << "byte " << at;
    }
    write_bytes(entry.path(), good);
    ++files;
  }
  EXPECT_GE(files, 5U);
  EXPECT_EQ(inspect(model).exit_code, 0);
}

}  // namespace
}  // namespace btc::test
