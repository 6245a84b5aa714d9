#include "report/zero_shot_report.hpp"

#include <gmock/gmock.h>

#include <nlohmann/json.hpp>

#include "report/evaluation_report.hpp"
#include "report/run_report.hpp"

namespace btc {
namespace {

using nlohmann::json;
using ::testing::ContainsRegex;
using ::testing::HasSubstr;
using ::testing::Not;

TaskScore score(const std::string& subject, const std::string& task, double acc, double norm) {
  return {.subject = subject,
          .task = task,
          .version = 2,
          .documents = 500,
          .requests = 2000,
          .scored_tokens = 12345,
          .add_bos = true,
          .limit = 0,
          .max_length = 512,
          .metrics = {{"acc,none", acc},
                      {"acc_stderr,none", 0.0123},
                      {"acc_norm,none", norm},
                      {"acc_norm_stderr,none", 0.0234}},
          .floor = 0.276,
          .at_floor = acc < 0.3,
          .notes = {"a note"}};
}

ZeroShotReport sample() {
  ZeroShotReport report;
  report.scores = {score("original", "openbookqa", 0.314, 0.442),
                   score("packed", "openbookqa", 0.281, 0.414)};
  report.differences = {{"openbookqa", "acc_norm", 190, 17, 31, 262, -0.028, 0.0138}};
  report.averages = {{"original", "btc7", 0.64437, 0.6444}, {"packed", "btc7", 0.61841, 0.6184}};
  return report;
}

TEST(ZeroShotTable, ShowsEveryMetricWithItsErrorFloorAndProtocol) {
  const std::string table = zero_shot_table(sample());
  EXPECT_THAT(table,
              ContainsRegex("openbookqa +original +acc +31\\.40 +1\\.23 +27\\.60 +500 +2,000 "
                            "+12,345 +yes"));
  EXPECT_THAT(table, ContainsRegex("openbookqa +packed +acc_norm +41\\.40 +2\\.34"));
  EXPECT_THAT(table, Not(HasSubstr("stderr")));
  EXPECT_THAT(table, ContainsRegex("no better than the best constant answer, .*: openbookqa "
                                   "\\(packed\\)\n"));
  EXPECT_EQ(table.find("note: a note"), table.rfind("note: a note")) << "once";
}

TEST(ZeroShotTable, ShowsWhatWasWonAndLostAndBothAverages) {
  const std::string table = zero_shot_table(sample());
  EXPECT_THAT(table, ContainsRegex("openbookqa +acc_norm +17 +31 +190 +262 +-2\\.80 +1\\.38"));
  EXPECT_THAT(table, ContainsRegex("btc7 +packed +61\\.8410 +61\\.84"));
}

TEST(ZeroShotTable, SaysThatOnlySomeDocumentsWereScored) {
  ZeroShotReport report = sample();
  report.scores[0].limit = 20;
  EXPECT_THAT(zero_shot_table(report), HasSubstr("first 20"));
  EXPECT_EQ(zero_shot_table({}), "");
}

TEST(ZeroShotJson, HasTheKeysOfTheHarnessForThePackedModel) {
  RunReport report;
  report.zero_shot = sample();
  const json root = json::parse(results_json(report));
  EXPECT_EQ(root.at("results").at("openbookqa").at("acc,none"), 0.281);
  EXPECT_EQ(root.at("results").at("openbookqa").at("acc_norm_stderr,none"), 0.0234);
  EXPECT_EQ(root.at("results").at("openbookqa").at("alias"), "openbookqa");
  EXPECT_EQ(root.at("n-samples").at("openbookqa").at("effective"), 500);
  EXPECT_EQ(root.at("versions").at("openbookqa"), 2);
  EXPECT_EQ(root.at("n-shot").at("openbookqa"), 0);
  const json& own = root.at("btc").at("zero_shot");
  EXPECT_EQ(own.at("scores").at(0).at("subject"), "original");
  EXPECT_EQ(own.at("differences").at(0).at("lost"), 31);
  EXPECT_EQ(own.at("averages").at(1).at("average_rounded"), 0.6184);
}

TEST(ZeroShotJson, HasNoSuchKeysWhereNothingWasScored) {
  const json root = json::parse(results_json({}));
  EXPECT_EQ(root.size(), 1U);
  EXPECT_FALSE(root.at("btc").contains("zero_shot"));
}

TEST(ZeroShotJson, ReadsBackToTheSame) {
  RunReport report;
  report.zero_shot = sample();
  report.zero_shot.differences[0].standard_error.reset();
  report.zero_shot.scores[0].floor.reset();
  const std::string text = results_json(report);
  const RunReport back = parse_results(text, "results.json");
  EXPECT_EQ(results_json(back), text);
  EXPECT_EQ(back.zero_shot.scores.at(1).value("acc_norm"), 0.414);
}

TEST(ZeroShotCsv, HasARowForEachModelAndTask) {
  RunReport report;
  report.zero_shot = sample();
  const std::string csv = results_csv(report);
  EXPECT_EQ(std::ranges::count(csv, '\n'), 3);
  EXPECT_THAT(csv, HasSubstr(",task,acc,acc_stderr,acc_norm,"));
  EXPECT_THAT(csv, HasSubstr(",openbookqa,0.281,0.0123,0.414,0.0234,"));
}

TEST(EvaluationJson, HoldsModelProtocolAndKeysOfTheHarness) {
  EvaluationReport report;
  report.model = "models/a";
  report.kind = "original";
  report.perplexity = {{"original", "c4", "gptq-c4", 2048, 256, 600000, true, 7.25}};
  report.zero_shot = sample();
  report.zero_shot.scores.pop_back();
  const json root = json::parse(evaluation_json(report));
  EXPECT_EQ(root.at("results").at("openbookqa").at("acc,none"), 0.314);
  EXPECT_EQ(root.at("btc").at("perplexity").at(0).at("stride"), 2048);
  EXPECT_EQ(root.at("btc").at("kind"), "original");
  EXPECT_THAT(evaluation_table(report),
              ContainsRegex("c4 +original +7\\.250 +2,048 +2,048 +256 +600,000 +yes +gptq-c4"));
}

}  // namespace
}  // namespace btc
