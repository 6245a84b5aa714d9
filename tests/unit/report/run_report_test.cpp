#include "report/run_report.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <sstream>

namespace btc {
namespace {

using ::testing::ContainsRegex;
using ::testing::HasSubstr;
using ::testing::Not;

RunReport sample() {
  RunReport report;
  report.run_id = "quickstart";
  report.created_utc = "2026-01-02T03:04:05Z";
  report.git_hash = "0123456789ab";
  report.config_sha256 = "feed";
  report.model = "models/a, \"b\"";
  report.linear_weights = 1000;
  report.parameters = 2000;
  report.nominal_bits = 0.8;
  report.sign_bits = 0.81;
  report.stored_bits = 3.5;
  report.model_bits = 8.25;
  report.salient_fraction = 0.09;
  report.ledger = {{"signs", 1000000}, {"scales", 234567}};
  report.total_bytes = 1234567;
  report.perplexity = {{"original", "wikitext2", "gptq", 512, 9, 4600, true, 63.05},
                       {"packed", "wikitext2", "gptq", 512, 9, 4600, true, 71.25}};
  report.seconds = {{"capture", 1.5}, {"encode", 2.25}};
  report.peak_rss_bytes = {1U << 20U, 3U << 20U};
  report.threads_per_rank = 2;
  report.backend = "cpu";
  return report;
}

std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> lines;
  std::istringstream in(text);
  for (std::string line; std::getline(in, line);) {
    lines.push_back(line);
  }
  return lines;
}

/// Field `name` of a line that holds no quoted comma before it.
std::string field(const std::string& header, const std::string& line, const std::string& name) {
  std::istringstream names(header);
  std::istringstream values(line);
  std::string n;
  std::string v;
  while (std::getline(names, n, ',')) {
    std::getline(values, v, ',');
    if (n == name) {
      return v;
    }
  }
  ADD_FAILURE() << "no column " << name;
  return {};
}

TEST(ResultsJson, HoldsTheRowUnderOneKey) {
  const auto row = nlohmann::json::parse(results_json(sample())).at("btc");
  EXPECT_EQ(row.at("bits").at("nominal"), 0.8);
  EXPECT_EQ(row.at("bits").at("sign"), 0.81);
  EXPECT_EQ(row.at("bits").at("stored"), 3.5);
  EXPECT_EQ(row.at("bits").at("model"), 8.25);
  const auto& packed = row.at("perplexity").at(1);
  EXPECT_EQ(packed.at("subject"), "packed");
  EXPECT_EQ(packed.at("name"), "wikitext2");
  EXPECT_EQ(packed.at("protocol"), "gptq");
  EXPECT_EQ(packed.at("window"), 512);
  EXPECT_EQ(packed.at("windows"), 9);
  EXPECT_EQ(packed.at("tokens"), 4600);
  EXPECT_EQ(packed.at("add_bos"), true);
  EXPECT_EQ(packed.at("value"), 71.25);
  EXPECT_EQ(row.at("ledger").at(1).at("category"), "scales");
  EXPECT_EQ(row.at("ledger").at(1).at("bytes"), 234567);
  EXPECT_EQ(row.at("total_bytes"), 1234567);
  EXPECT_EQ(row.at("seconds").at("encode"), 2.25);
  EXPECT_EQ(row.at("peak_rss_bytes").at(1), 3 << 20);
  EXPECT_EQ(row.at("ranks"), 2);
  EXPECT_EQ(row.at("threads_per_rank"), 2);
  EXPECT_EQ(row.at("git"), "0123456789ab");
  EXPECT_EQ(row.at("toy"), true);
}

TEST(ResultsCsv, HasOneRowForEachPerplexity) {
  RunReport report = sample();
  report.model = "m";
  const auto lines = lines_of(results_csv(report));
  ASSERT_EQ(lines.size(), 3U);
  EXPECT_EQ(field(lines[0], lines[1], "variant"), "original");
  EXPECT_EQ(field(lines[0], lines[1], "ppl"), "63.05");
  EXPECT_EQ(field(lines[0], lines[2], "variant"), "packed");
  EXPECT_EQ(field(lines[0], lines[2], "ppl"), "71.25");
  EXPECT_EQ(field(lines[0], lines[2], "linear_bytes"), "438");  // 3.5 * 1000 / 8, rounded
  EXPECT_EQ(field(lines[0], lines[2], "s_encode"), "2.25");
  EXPECT_EQ(field(lines[0], lines[2], "s_reduce"), "");  // not measured
}

TEST(ResultsCsv, BitsSpeakOfThePackedModelOnly) {
  RunReport report = sample();
  report.model = "m";
  const auto lines = lines_of(results_csv(report));
  for (const char* name : {"nominal_bits", "sign_bits", "stored_bits", "model_bits"}) {
    EXPECT_EQ(field(lines[0], lines[1], name), "");
    EXPECT_NE(field(lines[0], lines[2], name), "");
  }
}

TEST(ResultsCsv, HeaderDoesNotDependOnTheRun) {
  RunReport bare;
  const auto lines = lines_of(results_csv(bare));
  ASSERT_EQ(lines.size(), 2U);
  EXPECT_EQ(lines[0], lines_of(results_csv(sample()))[0]);
  EXPECT_EQ(field(lines[0], lines[1], "variant"), "packed");
  EXPECT_EQ(field(lines[0], lines[1], "ppl"), "");
}

TEST(ResultsCsv, QuotesWhatNeedsIt) {
  EXPECT_THAT(results_csv(sample()), HasSubstr(R"(,"models/a, ""b""",)"));
}

TEST(ResultsTable, ShowsTheFourBitNumbersTogether) {
  const std::string table = results_table(sample());
  EXPECT_THAT(table, ContainsRegex("nominal +0.8000[^\n]*\n +sign +0.8100[^\n]*\n"
                                   " +stored +3.5000[^\n]*\n +model +8.2500"));
}

TEST(ResultsTable, ShowsBothPerplexitiesTheLedgerAndTheCost) {
  const std::string table = results_table(sample());
  EXPECT_THAT(table, ContainsRegex("wikitext2 +original +63.050 +512 +512 +9 +4,600 +yes +gptq"));
  EXPECT_THAT(table, ContainsRegex("wikitext2 +packed +71.250"));
  EXPECT_THAT(table, ContainsRegex("signs +1,000,000 +81.0 %"));
  EXPECT_THAT(table, ContainsRegex("total +1,234,567 +100.0 %"));
  EXPECT_THAT(table, ContainsRegex("encode +2.25\n +total +3.75\n"));
  EXPECT_THAT(table, HasSubstr("2 ranks with 2 threads each, cpu backend; largest rank 3 MiB"));
}

TEST(ResultsTable, MarksToyModelsAndMissingPerplexity) {
  RunReport report = sample();
  EXPECT_THAT(results_table(report), HasSubstr("(toy:"));
  report.parameters = 6'000'000'000;
  report.perplexity.clear();
  EXPECT_THAT(results_table(report), Not(HasSubstr("(toy:")));
  EXPECT_THAT(results_table(report), HasSubstr("not measured"));
}

}  // namespace
}  // namespace btc
