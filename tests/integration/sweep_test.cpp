/// A sweep from its file to its tables, by the script that users call.

#include <gmock/gmock.h>

#include <fstream>

#include "io/atomic_file.hpp"
#include "support/pipeline_run.hpp"

namespace btc::test {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

TEST(SweepScript, RunsWhatIsMissingAndMakesTables) {
  const ToyBench bench("sweep", {.blocks = 2});
  bench.configure("base", {.evaluate = "{perplexity: [{name: toy, source: ids, path: TEXT, "
                                       "window: 32}]}"});
  const auto file = bench.root() / "rates.yaml";
  const auto write_sweep = [&](const std::string& last_method) {
    write_text_file(file, concat("title: A small sweep\nbase: ", bench.config("base").string(),
                                 "\nruns:\n"
                                 "  - {name: half, set: {codebook.target_bits: 0.5}}\n"
                                 "  - {name: signs, set: {codebook: none}, paper: 5.0 (Table 9)}\n"
                                 "  - {name: last, set: {codebook.centroids: ",
                                 last_method, ", codebook.target_bits: null}}\n"));
  };
  const auto run = [&] {
    return run_process({BTC_SOURCE_DIR "/tools/sweep.sh", file.string(), "2"},
                       {.environment = {{"BTC_BIN", program("")},
                                        {"RUNS", (bench.root() / "runs").string()},
                                        {"TABLES", (bench.root() / "tables").string()}},
                        .timeout_seconds = 200});
  };
  write_sweep("200");
  const ProcessResult first = run();
  ASSERT_EQ(first.exit_code, 0) << first.text();
  const std::string table = read_text_file(bench.root() / "tables/rates_small.md");
  EXPECT_THAT(table, AllOf(HasSubstr("# A small sweep"), HasSubstr("| half | 0.5000 |"),
                           HasSubstr("| signs | 1.0000 |"), HasSubstr("| 5.0 (Table 9) |"),
                           HasSubstr("A small model"), Not(HasSubstr("not finished"))));
  EXPECT_TRUE(std::filesystem::exists(bench.root() / "tables/rates_small.svg"));
  EXPECT_FALSE(std::filesystem::exists(bench.root() / "runs/rates/01_half/activations"))
      << "the activations are shared";

  const ProcessResult again = run();
  EXPECT_EQ(again.exit_code, 0) << again.text();
  EXPECT_THAT(again.text(), Not(HasSubstr("units to do")));
  EXPECT_EQ(read_text_file(bench.root() / "tables/rates_small.md"), table);

  write_sweep("many");
  const ProcessResult wrong = run();
  EXPECT_EQ(wrong.exit_code, 2) << wrong.text();
  EXPECT_THAT(wrong.text(), AllOf(HasSubstr("run 'last'"), HasSubstr("codebook.centroids")));
}

}  // namespace
}  // namespace btc::test
