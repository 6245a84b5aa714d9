/// What a finished run leaves for scripts and for people.

#include <gmock/gmock.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "io/atomic_file.hpp"
#include "support/pipeline_run.hpp"

namespace btc::test {
namespace {

using nlohmann::json;
using ::testing::Contains;
using ::testing::HasSubstr;
using ::testing::Key;

class Results : public ::testing::Test {
 protected:
  static constexpr std::size_t kRanks = 3;

  static void SetUpTestSuite() {
    bench() = std::make_unique<ToyBench>("results", ToyModel{});
    bench()->configure("toy", {.evaluate = "{perplexity: [{name: toy, source: ids, path: TEXT, "
                                           "window: 32}, {name: own, source: self, samples: 2, "
                                           "window: 16}]}"});
    finished() = bench()->start("toy", kRanks);
    ASSERT_EQ(finished().exit_code, 0) << finished().text();
  }
  static void TearDownTestSuite() { bench().reset(); }
  static std::unique_ptr<ToyBench>& bench() {
    static std::unique_ptr<ToyBench> the_bench;
    return the_bench;
  }
  static ProcessResult& finished() {
    static ProcessResult result;
    return result;
  }
  static std::string read(const std::string& file) {
    return read_text_file(bench()->run_dir("toy") / file);
  }
};

TEST_F(Results, HoldEveryPromisedKey) {
  const json results = json::parse(read("results.json"));
  const json& btc = results.at("btc");
  for (const char* const name : {"nominal", "sign", "stored", "model"}) {
    EXPECT_GT(btc.at("bits").at(name).get<double>(), 0) << name;
  }
  ASSERT_EQ(btc.at("perplexity").size(), 4U);  // 2 texts of 2 subjects
  for (const json& entry : btc.at("perplexity")) {
    EXPECT_THAT((std::vector<std::string>{"original", "packed"}),
                Contains(entry.at("subject").get<std::string>()));
    const bool own = entry.at("name") == "own";
    EXPECT_EQ(entry.at("protocol"), own ? "self-sampled" : "gptq");
    EXPECT_EQ(entry.at("window"), own ? 16 : 32);
    EXPECT_EQ(entry.at("windows"), own ? 2 : 6);
    EXPECT_EQ(entry.at("tokens"), own ? 32 : 200);
    EXPECT_EQ(entry.at("add_bos"), own);
    EXPECT_GT(entry.at("value").get<double>(), 1);
  }
  std::uint64_t sum = 0;
  for (const json& line : btc.at("ledger")) {
    EXPECT_FALSE(line.at("category").get<std::string>().empty());
    sum += line.at("bytes").get<std::uint64_t>();
  }
  EXPECT_EQ(btc.at("total_bytes"), sum);
  for (const char* const stage :
       {"sequences", "capture", "binarize", "codebook", "encode", "reduce", "evaluate"}) {
    EXPECT_GT(btc.at("seconds").at(stage).get<double>(), 0) << stage;
  }
  ASSERT_EQ(btc.at("peak_rss_bytes").size(), kRanks);
  constexpr std::uint64_t kMebi = 1U << 20U;
  for (const json& peak : btc.at("peak_rss_bytes")) {
    EXPECT_GT(peak.get<std::uint64_t>(), 10 * kMebi);
  }
  EXPECT_EQ(btc.at("ranks"), kRanks);
  EXPECT_EQ(btc.at("threads_per_rank"), 1);
  EXPECT_FALSE(btc.at("git").get<std::string>().empty());
}

TEST_F(Results, HaveOneRowForEachPerplexity) {
  std::istringstream csv(read("results.csv"));
  std::string header;
  std::getline(csv, header);
  for (const char* const column :
       {"run_id", "model", "variant", "nominal_bits", "sign_bits", "stored_bits", "model_bits",
        "ppl_dataset", "ppl", "ppl_protocol", "s_capture", "ranks", "threads_per_rank", "toy"}) {
    EXPECT_THAT("," + header + ",", HasSubstr(concat(",", column, ",")));
  }
  const auto commas = std::count(header.begin(), header.end(), ',');
  int rows = 0;
  for (std::string row; std::getline(csv, row); ++rows) {
    EXPECT_EQ(std::count(row.begin(), row.end(), ','), commas) << row;
  }
  EXPECT_EQ(rows, 4);
}

TEST_F(Results, AreInTheClosingTable) {
  for (const char* const word : {"original", "packed", "nominal", "sign", "stored", "model",
                                 "signs", "total", "capture", "evaluate"}) {
    EXPECT_THAT(finished().out, HasSubstr(word));
  }
}

TEST_F(Results, ComeWithTheFilesOfARunDirectory) {
  const auto files = hashes_below(bench()->run_dir("toy"));
  for (const char* const file :
       {"config.resolved.yaml", "environment.txt", "logs/rank_0.log", "logs/rank_2.log",
        "state/encode/block-00001.json", "model/manifest.json", "model/config.json", "results.json",
        "results.csv"}) {
    EXPECT_THAT(files, Contains(Key(file)));
  }
}

TEST_F(Results, HaveALineForEachUnitWithProgressAndQuality) {
  for (const char* const stage : {"capture", "binarize", "encode"}) {
    for (const char* const unit : {" 1/2", " 2/2"}) {
      EXPECT_THAT(finished().err, HasSubstr(concat(stage, unit)));
    }
  }
  EXPECT_THAT(finished().err,
              ::testing::ContainsRegex("encode 2/2 .*relative error .*elapsed .*eta "));
  EXPECT_THAT(finished().err, ::testing::Not(HasSubstr("\r"))) << "a bar is for terminals";
}

}  // namespace
}  // namespace btc::test
