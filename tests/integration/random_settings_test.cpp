/// Drawn models with drawn settings: same bytes on 1 and 3 ranks, and the export is what was
/// measured. BTC_RANDOM_CASES in the environment asks for more cases than the few that run always.

#include <gmock/gmock.h>

#include <cstdlib>
#include <nlohmann/json.hpp>

#include "common/error.hpp"
#include "common/rng.hpp"
#include "io/atomic_file.hpp"
#include "support/pipeline_run.hpp"

namespace btc::test {
namespace {

using nlohmann::json;

constexpr std::uint64_t kCases = 3;

std::uint64_t case_count() {
  const char* const asked = std::getenv("BTC_RANDOM_CASES");
  return asked == nullptr ? kCases : std::stoull(asked);
}

/// Draws, and remembers the draws as text.
class Dice {
 public:
  explicit Dice(std::uint64_t seed) : rng_(derive_seed(seed, "random settings", 0)) {}
  std::size_t between(std::size_t low, std::size_t high) {
    return low + rng_.below(high - low + 1);
  }
  bool chance(double share) { return rng_.uniform() < share; }
  std::string one_of(std::initializer_list<const char*> words) {
    return *(words.begin() + rng_.below(words.size()));
  }

 private:
  Rng rng_;
};

ToyModel draw_model(Dice& dice) {
  ToyModel toy;
  toy.family = dice.one_of({"llama", "qwen2", "qwen3"});
  toy.hidden = dice.between(17, 80);
  toy.intermediate = dice.between(20, 200);
  toy.blocks = static_cast<int>(dice.between(1, 4));
  toy.kv_heads = dice.between(1, 3);
  toy.heads = toy.kv_heads * dice.between(1, 3);
  toy.head_dim = 2 * dice.between(2, 9);
  toy.vocab_size = dice.between(30, 200);
  toy.tied_head = dice.chance(0.5);
  const std::string dtype = dice.one_of({"bf16", "fp16", "fp32"});
  toy.dtype = dtype == "bf16" ? DType::kBf16 : dtype == "fp16" ? DType::kF16 : DType::kF32;
  toy.shards = dice.between(1, 3);
  toy.seed = dice.between(1, 1000);
  return toy;
}

std::string draw_binarize(Dice& dice) {
  const std::size_t split_points = dice.between(0, 3);
  const std::string rule = dice.one_of({"search", "ratio2", "magnitude", "fraction"});
  const std::string scales = split_points == 0
                                 ? dice.one_of({"panel", "row"})
                                 : dice.one_of({"panel", "row", "row_ratio", "row_ratio_i8"});
  const std::string method =
      scales != "panel" ? "arb" : dice.one_of({"arb", "plain", "arb_x", "arb_rc"});
  const bool may_be_exact = scales == "panel" && method == "arb";
  const std::string salient =
      scales == "row_ratio_i8" ? "none" : dice.one_of({"none", "search", "fraction"});
  const bool may_group =
      rule == "search" && scales == "panel" && split_points > 0 && salient != "none";
  std::string text = concat(
      "{method: ", method,
      ", salient_groups: ", may_group ? dice.one_of({"true", "false"}) : "false",
      ", rounding: ", scales.starts_with("row_ratio") ? "panel" : dice.one_of({"panel", "end"}),
      ", solver: ", may_be_exact ? dice.one_of({"iterative", "exact"}) : "iterative",
      ", split_points: ", split_points, ", split_rule: ", rule,
      ", iterations: ", dice.between(0, 15), ", salient: ", salient,
      ", salient_fraction: ", dice.one_of({"0", "0.1", "0.5"}), ", scales: ", scales,
      ", compensation: ", dice.one_of({"none", "block", "exact", "sequential"}),
      ", panel: ", dice.between(24, 140));
  if (rule == "fraction") {
    text += ", group_fractions: [";
    for (std::size_t i = 0; i < split_points; ++i) {
      text += concat(i == 0 ? "" : ", ", dice.one_of({"0.05", "0.1", "0.3"}));
    }
    text += "]";
  }
  return text + "}";
}

/// @param panels whether scales are those of panels
std::string draw_codebook(Dice& dice, bool panels) {
  if (dice.chance(0.15)) {
    return "none";
  }
  if (dice.chance(0.1)) {
    return concat("{codec: linear_20_16, vector_length: 20, assignment: ",
                  dice.one_of({"hamming", "weighted"}),
                  ", encode: ", dice.one_of({"post", "in_loop"}), "}");
  }
  const std::size_t v = dice.between(4, 24);
  const std::string size = dice.chance(0.5) ? "target_bits: " + dice.one_of({"0.1", "0.4", "0.55"})
                                            : concat("centroids: ", dice.between(1, 16));
  const std::string choice = panels && dice.chance(0.3)
                                 ? "layout: masked, assignment: hamming, encode: post"
                                 : concat("assignment: ", dice.one_of({"hamming", "weighted"}),
                                          ", encode: ", dice.one_of({"post", "in_loop"}));
  return concat("{vector_length: ", v, ", ", size, ", ", choice, ", scope: ",
                panels ? dice.one_of({"linear", "block", "model", "block_group"})
                       : dice.one_of({"linear", "block", "model"}),
                ", init: ", dice.one_of({"frequency", "random"}),
                ", refit: ", dice.one_of({"true", "false"}), ", iterations: ", dice.between(0, 5),
                "}");
}

/// Perplexity of a subject in results.json.
double perplexity(const ToyBench& bench, const std::string& run, const std::string& subject) {
  const json results = json::parse(read_text_file(bench.run_dir(run) / "results.json"));
  for (const json& entry : results.at("btc").at("perplexity")) {
    if (entry.at("subject") == subject) {
      return entry.at("value");
    }
  }
  BTC_THROW(Error, "no perplexity of ", subject);
}

class RandomSettings : public ::testing::TestWithParam<std::uint64_t> {};

TEST_P(RandomSettings, PackTheSameBytesAndWhatWasMeasured) {
  Dice dice(GetParam());
  const ToyBench bench("random-settings", draw_model(dice));
  const std::string binarize = draw_binarize(dice);
  const ToySettings settings = {
      .binarize = binarize,
      .codebook = draw_codebook(dice, binarize.find("scales: panel") != std::string::npos),
      .evaluate = "{perplexity: [{name: toy, source: ids, path: TEXT, window: 16}]}"};
  SCOPED_TRACE(read_text_file(bench.model() / "config.json") + settings.binarize + "\n" +
               settings.codebook);
  for (const char* const ranks : {"1", "3"}) {
    bench.configure(ranks, settings);
    const ProcessResult result = bench.start(ranks, std::stoi(ranks));
    ASSERT_EQ(result.exit_code, 0) << result.text();
  }
  const auto model = bench.run_dir("3") / "model";
  EXPECT_EQ(hashes_below(model), hashes_below(bench.run_dir("1") / "model"));
  EXPECT_EQ(perplexity(bench, "1", "packed"), perplexity(bench, "3", "packed"));
  EXPECT_EQ(perplexity(bench, "1", "original"), perplexity(bench, "3", "original"));
  const ProcessResult inspected = run_process({program("btc"), "inspect", model.string()});
  EXPECT_EQ(inspected.exit_code, 0) << inspected.text();

  const auto dense = bench.root() / "dense";
  const ProcessResult exported = run_process({program("btc"), "export", "--model", model.string(),
                                              "--out", dense.string(), "--dtype", "fp32"});
  ASSERT_EQ(exported.exit_code, 0) << exported.text();
  bench.configure("dense", {.binarize = "{iterations: 0, salient: none}",
                            .codebook = "none",
                            .evaluate = settings.evaluate});
  const ProcessResult again = bench.start(
      "dense", 2,
      {"--set", "model.path=" + dense.string(), "--set", "evaluate.subjects=[original]"});
  ASSERT_EQ(again.exit_code, 0) << again.text();
  EXPECT_NEAR(perplexity(bench, "dense", "original") / perplexity(bench, "3", "packed"), 1, 1e-6);
}

INSTANTIATE_TEST_SUITE_P(Draw, RandomSettings,
                         ::testing::Range(std::uint64_t{1}, case_count() + 1));

}  // namespace
}  // namespace btc::test
