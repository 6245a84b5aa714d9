/// Models, token files and directories that cannot be used, or that look as if they could not.

#include <gmock/gmock.h>

#include <cmath>
#include <cstring>
#include <nlohmann/json.hpp>
#include <set>

#include "common/half.hpp"
#include "io/atomic_file.hpp"
#include "support/pipeline_run.hpp"

namespace btc::test {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;

constexpr int kUserError = 2;
constexpr double kLongestFailure = 30;

ToySettings quick() {
  return {.binarize = "{iterations: 3}", .codebook = "{vector_length: 8, target_bits: 0.8}"};
}

/// Writes `value` to elements of a tensor in the one weight file of a toy model.
void set_elements(const fs::path& model, const std::string& name, std::size_t first,
                  std::size_t count, float value) {
  const fs::path path = model / "model.safetensors";
  std::string bytes = read_bytes(path);
  const TensorView view = SafetensorsFile::open(path).at(name);
  const std::size_t width = size_of(view.dtype);
  const std::uint16_t half = float_to_bf16(value);
  const void* source = view.dtype == DType::kF32 ? static_cast<const void*>(&value) : &half;
  for (std::size_t i = first; i < first + count; ++i) {
    std::memcpy(bytes.data() + view.file_offset + i * width, source, width);
  }
  write_bytes(path, bytes);
}

void expect_failure(const ProcessResult& result, const std::vector<std::string>& words) {
  EXPECT_NE(result.exit_code, 0);
  EXPECT_LT(result.seconds, kLongestFailure);
  for (const std::string& word : words) {
    EXPECT_THAT(result.text(), HasSubstr(word));
  }
}

/// Mistakes that the user can mend: exit code 2, all of them named, nothing done.
void expect_refusal(const ToyBench& bench, const ProcessResult& result,
                    const std::vector<std::string>& words) {
  expect_failure(result, words);
  EXPECT_EQ(result.exit_code, kUserError);
  EXPECT_FALSE(fs::exists(bench.run_dir("a") / "calibration.h5"));
}

TEST(BadModel, IsRefusedWithAllItsProblems) {
  const ToyBench bench("bad-model", ToyModel{.blocks = 3, .shards = 3});
  bench.configure("a", quick());
  std::set<std::string> shards;
  for (const auto& entry : fs::directory_iterator(bench.model())) {
    if (entry.path().extension() == ".safetensors") {
      shards.insert(entry.path().filename().string());
    }
  }
  const std::string lost = *shards.begin();
  const std::string cut = *shards.rbegin();
  ASSERT_NE(lost, cut);
  fs::remove(bench.model() / lost);
  fs::resize_file(bench.model() / cut, fs::file_size(bench.model() / cut) - 100);
  expect_refusal(bench, bench.start("a", 2), {lost + ": missing", cut, "cut short", "problems"});
}

TEST(BadModel, OfPickledWeightsIsRefused) {
  const ToyBench bench("bad-model", ToyModel{});
  bench.configure("a", quick());
  fs::rename(bench.model() / "model.safetensors", bench.model() / "pytorch_model.bin");
  expect_refusal(bench, bench.start("a", 2), {".bin", "model.safetensors"});
  fs::remove_all(bench.model());
  expect_refusal(bench, bench.start("a", 2), {bench.model().string(), "not found"});
}

TEST(BadModel, OfUnsupportedFieldsIsRefusedOnce) {
  const ToyBench bench("bad-model", ToyModel{});
  bench.configure("a", quick());
  const fs::path path = bench.model() / "config.json";
  auto config = nlohmann::json::parse(read_text_file(path));
  config["hidden_act"] = "gelu";
  config["num_local_experts"] = 8;
  write_text_file(path, config.dump());
  expect_refusal(bench, bench.start("a", 3), {"2 problems", "gelu", "num_local_experts"});
}

/// A model whose weights are about to be spoilt.
class BadWeights : public ::testing::TestWithParam<DType> {
 protected:
  BadWeights() : bench_("bad-weights", ToyModel{.blocks = 3, .dtype = GetParam()}) {
    bench_.configure("a", quick());
  }
  ToyBench bench_;
};

TEST_P(BadWeights, WithNanInABlockFailInCapture) {
  set_elements(bench_.model(), "model.layers.1.mlp.up_proj.weight", 17, 1, std::nanf(""));
  expect_failure(bench_.start("a", 3), {"rank 1 error", "capture, block 1",
                                        "model.layers.1.mlp.up_proj.weight", "element 17 is nan"});
}

TEST_P(BadWeights, WithNanInTheEmbeddingFailWhileAllRanksWriteOneFile) {
  set_elements(bench_.model(), "model.embed_tokens.weight", 0, 32 * 32, std::nanf(""));
  expect_failure(bench_.start("a", 3), {"embedding failed on rank", "embed_tokens", "is nan"});
  EXPECT_TRUE(fs::is_empty(bench_.run_dir("a") / "activations"));
}

TEST_P(BadWeights, ThatOverflowTheHiddenStatesAreNamed) {
  set_elements(bench_.model(), "model.layers.0.mlp.down_proj.weight", 0, 32 * 64, 3e38F);
  expect_failure(bench_.start("a", 2), {"rank 0 error", "capture, block 0", "not finite"});
}

TEST_P(BadWeights, WhoseHessianCannotBeFactoredFailInBinarize) {
  // The input of the last block's MLP overflows when squared; its output is not stored.
  set_elements(bench_.model(), "model.layers.2.post_attention_layernorm.weight", 0, 32, 1e25F);
  expect_failure(bench_.start("a", 2), {"binarize block-00002", "rank", "Hessian"});
}

INSTANTIATE_TEST_SUITE_P(DTypes, BadWeights, ::testing::Values(DType::kF32, DType::kBf16),
                         [](const auto& test) { return std::string(name_of(test.param)); });

double packed_perplexity(const ToyBench& bench) {
  const auto results = nlohmann::json::parse(read_text_file(bench.run_dir("a") / "results.json"));
  return results.at("btc").at("perplexity").at(1).at("value").get<double>();
}

/// Zero Linears, dead input columns and constant rows in each of the paths through the program.
TEST(DegenerateWeights, ArePackedWithoutTrouble) {
  const std::vector<ToySettings> settings = {
      {.binarize = "{split_rule: search, salient: search}",
       .codebook = "{vector_length: 8, target_bits: 0.8, scope: linear}"},
      {.binarize = "{scales: row, salient: none, split_points: 1}",
       .codebook = "{vector_length: 16, target_bits: 0.5, scope: block, assignment: hamming}"},
      {.binarize = "{split_points: 0, salient: fraction, salient_fraction: 0.1}",
       .codebook = "none"}};
  const ToyBench bench("degenerate", ToyModel{.intermediate = 86, .blocks = 1});
  set_elements(bench.model(), "model.layers.0.mlp.up_proj.weight", 0, 86 * 32, 0.0F);
  set_elements(bench.model(), "model.layers.0.input_layernorm.weight", 3, 2, 0.0F);
  set_elements(bench.model(), "model.layers.0.self_attn.q_proj.weight", 32, 64, 0.25F);
  for (ToySettings each : settings) {
    each.evaluate = "{perplexity: [{name: toy, source: ids, path: TEXT, window: 32}]}";
    bench.configure("a", each);
    const ProcessResult result = bench.start("a", 3);  // more ranks than blocks
    ASSERT_EQ(result.exit_code, 0) << each.binarize << result.text();
    EXPECT_TRUE(std::isfinite(packed_perplexity(bench))) << each.binarize;
    fs::remove_all(bench.root() / "dense");
    ASSERT_EQ(run_process({program("btc"), "export", "--dtype", "fp32", "--model",
                           (bench.run_dir("a") / "model").string(), "--out",
                           (bench.root() / "dense").string()})
                  .exit_code,
              0);
    const auto shard =
        SafetensorsFile::open(bench.root() / "dense" / "model-00001-of-00002.safetensors");
    // A zero Linear stays zero. (up_proj feeds down_proj: its input columns are all dead.)
    EXPECT_THAT(to_float(shard.at("model.layers.0.mlp.up_proj.weight")), ::testing::Each(0.0F));
    EXPECT_THAT(to_float(shard.at("model.layers.0.mlp.down_proj.weight")), ::testing::Each(0.0F));
  }
}

/// Widths that neither 16 nor 128 divides.
TEST(OddWidths, ArePacked) {
  for (const std::size_t width : {std::size_t{704}, std::size_t{1000}}) {
    const ToyBench bench("odd", ToyModel{.intermediate = width, .blocks = 1});
    bench.configure("a", quick());
    const ProcessResult result = bench.start("a", 3);
    EXPECT_EQ(result.exit_code, 0) << width << result.text();
  }
}

TEST(BadTokens, AreRefused) {
  const ToyBench bench("bad-tokens", ToyModel{.max_position = 256});
  ToySettings settings = quick();
  const auto expect_refused = [&](const std::string& calibration,
                                  const std::vector<std::string>& words) {
    settings.calibration = calibration;
    bench.configure("a", settings);
    expect_refusal(bench, bench.start("a", 2), words);
  };
  expect_refused("{source: ids, path: CALIBRATION, samples: 9, window: 32}",
                 {"expected at least 9 sequences", "8 of 32"});
  expect_refused("{source: ids, path: TEXT, samples: 8, window: 201}", {"200", "201"});
  expect_refused("{source: ids, path: TEXT, samples: 8, window: 257}",
                 {"calibration.window", "256", "257"});
  write_toy_sequences(bench.calibration(), 65, 200, 32, 1);
  expect_refused("{source: ids, path: CALIBRATION, samples: 8, window: 32}",
                 {"id 64", "expected 0 to 63"});
  write_bytes(bench.calibration(), "no HDF5 file");
  expect_refused("{source: ids, path: CALIBRATION, samples: 8, window: 32}",
                 {"calibration.h5", "HDF5"});
}

TEST(BadDirectory, IsRefused) {
  const ToyBench bench("bad-directory", ToyModel{});
  bench.configure("a", quick());
  const std::string below_a_file = bench.text().string() + "/run";
  expect_refusal(bench, bench.start("a", 2, {"--set", "run.dir=" + below_a_file}),
                 {"run.dir", below_a_file, "Not a directory"});
  expect_refusal(bench, bench.start("a", 2, {"--set", "run.dir=/proc/run"}),
                 {"run.dir", "/proc/run"});
}

}  // namespace
}  // namespace btc::test
