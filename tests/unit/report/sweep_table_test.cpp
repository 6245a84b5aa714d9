#include "report/sweep_table.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/error.hpp"
#include "report/scatter_plot.hpp"

namespace btc {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

RunReport report(double stored, double perplexity, std::uint64_t windows = 9) {
  RunReport report;
  report.config_sha256 = "0123456789abcdef";
  report.model = "models/small";
  report.linear_weights = 1000;
  report.parameters = 2000;
  report.nominal_bits = 0.8;
  report.sign_bits = 0.81;
  report.stored_bits = stored;
  report.model_bits = 8.25;
  report.ledger = {{"signs", 10}, {"scales", 20}};
  report.total_bytes = 30;
  report.perplexity = {{"original", "wikitext2", "gptq", 512, windows, 4600, true, 50},
                       {"packed", "wikitext2", "gptq", 512, windows, 4600, true, perplexity}};
  report.seconds = {{"capture", 100}, {"binarize", 1.5}, {"encode", 2.25}, {"evaluate", 7}};
  report.peak_rss_bytes = {1U << 20U};
  report.backend = "cpu";
  return report;
}

SweepTable two_runs() {
  return {.title = "Two runs",
          .shapes = "LLaMA-2-7B",
          .rows = {{"a", "", report(1.5, 60), 1.25}, {"b", "6.60 (Table 1)", {}, {}}}};
}

TEST(ParseResults, GivesBackWhatWasWritten) {
  const RunReport original = report(1.5, 60);
  EXPECT_EQ(results_json(parse_results(results_json(original), "x")), results_json(original));
}

TEST(ParseResults, RefusesWhatIsNoResult) {
  for (const char* const text :
       {"", "{}", "{\"btc\": {}}", "{\"btc\": {\"schema_version\": 99}}"}) {
    try {
      parse_results(text, "some/results.json");
      ADD_FAILURE() << "accepted: " << text;
    } catch (const FormatError& error) {
      EXPECT_THAT(error.what(), HasSubstr("some/results.json")) << text;
    }
  }
}

TEST(SweepTableText, HasAllFourBitsAndTheRatio) {
  const std::string text = sweep_markdown(two_runs());
  EXPECT_THAT(text, HasSubstr("| a | 0.8000 | 0.8100 | 1.5000 | 1.2500 | 8.2500 | 60.000 | 1.2000 |"
                              " 3.8 | 0123456789ab |  |\n"));
  EXPECT_THAT(text, HasSubstr("| b | not finished |"));
  EXPECT_THAT(text, HasSubstr("stored bits at LLaMA-2-7B shapes"));
  EXPECT_THAT(text,
              HasSubstr("wikitext2: protocol gptq, window 512, all 9 windows of a text of 4600 "
                        "tokens, with BOS. Original model: 50.000"));
  SweepTable part = two_runs();
  part.rows[0].report = report(1.5, 60, 5);
  EXPECT_THAT(sweep_markdown(part), HasSubstr("the first 5 windows of a text of 4600 tokens"));
  EXPECT_THAT(text, HasSubstr("A small model"));
}

TEST(SweepTableText, KeepsThePapersFiguresApart) {
  SweepTable table = two_runs();
  table.rows[1].report = report(2, 55);
  EXPECT_THAT(sweep_markdown(table), HasSubstr("| the papers' figure (theirs) |\n"));
  EXPECT_THAT(sweep_markdown(table), HasSubstr("| 6.60 (Table 1) |\n"));
  table.rows[1].paper.clear();
  EXPECT_THAT(sweep_markdown(table), Not(HasSubstr("papers")));
}

TEST(SweepTableText, NeverMixesWaysOfMeasuring) {
  SweepTable table = two_runs();
  table.rows[1].report = report(2, 55, 10);
  const std::string text = sweep_markdown(table);
  EXPECT_THAT(text, HasSubstr("| 60.000 | 1.2000 |  |  |"));
  EXPECT_THAT(text, HasSubstr("|  |  | 55.000 | 1.1000 |"));
}

TEST(SweepTableText, HasTheSameCellsAsCsv) {
  EXPECT_THAT(
      sweep_csv(two_runs()),
      HasSubstr("\na,0.8000,0.8100,1.5000,1.2500,8.2500,60.000,1.2000,3.8,0123456789ab,\n"));
}

TEST(SweepPlot, ShowsFinishedRuns) {
  const std::string svg = sweep_plot(two_runs());
  EXPECT_THAT(svg, HasSubstr(">a</text>"));
  EXPECT_THAT(svg, HasSubstr(">original</text>"));
  EXPECT_THAT(
      svg, HasSubstr(">models/small (a small model); wikitext2: protocol gptq, window 512, all 9 "
                     "windows of a text of 4600 tokens, with BOS</text>"));
  EXPECT_THAT(svg, Not(HasSubstr(">b</text>")));
  EXPECT_EQ(sweep_plot({.title = "none", .shapes = "", .rows = {{"b", "", {}, {}}}}), "");
}

TEST(ScatterPlot, PlacesPointsOnTheirAxes) {
  const std::string svg = scatter_svg({.title = "T",
                                       .subtitle = "",
                                       .x_name = "x < y",
                                       .y_name = "y",
                                       .points = {{0, 0, "low"}, {10, 10, "high"}},
                                       .level = {},
                                       .level_name = ""});
  EXPECT_THAT(svg, HasSubstr("cx=\"80.0\" cy=\"480.0\"")) << "corner of the axes";
  EXPECT_THAT(svg, HasSubstr("cx=\"830.0\" cy=\"50.0\"")) << "the opposite corner";
  EXPECT_THAT(svg, HasSubstr("x &lt; y"));
}

}  // namespace
}  // namespace btc
