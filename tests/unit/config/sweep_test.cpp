#include "config/sweep.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/error.hpp"
#include "config/pipeline_config.hpp"
#include "support/scratch.hpp"

namespace btc {
namespace {

namespace fs = std::filesystem;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

class SweepFile : public ::testing::Test {
 protected:
  void SetUp() override {
    test::write_bytes(base_,
                      "run: {dir: unused, seed: 5}\nmodel: {path: m}\nbinarize: {iterations: 7}\n");
  }
  Sweep expand(const std::string& rest) {
    test::write_bytes(file_, concat("title: Some runs\nbase: ", base_.string(), "\n", rest));
    return expand_sweep(file_, "out");
  }
  std::string error_of(const std::string& rest) {
    try {
      expand(rest);
    } catch (const ConfigError& error) {
      return error.what();
    }
    ADD_FAILURE() << "accepted: " << rest;
    return {};
  }
  PipelineConfig config_of(const SweepRun& run) {
    const fs::path path = scratch_.path() / "expanded.yaml";
    test::write_bytes(path, run.yaml);
    return load_config(path, {});
  }
  static std::vector<std::string> names(const Sweep& sweep) {
    std::vector<std::string> names;
    for (const SweepRun& run : sweep.runs) {
      names.push_back(run.name);
    }
    return names;
  }

  test::Scratch scratch_{"sweep"};
  fs::path base_ = scratch_.path() / "base.yaml";
  fs::path file_ = scratch_.path() / "sweep.yaml";
};

TEST_F(SweepFile, ListsRuns) {
  const Sweep sweep = expand(
      "set: {run.seed: 9}\n"
      "runs:\n"
      "  - {name: two groups, set: {binarize.split_points: 1}}\n"
      "  - {name: b, set: {codebook: none, binarize.iterations: 2}, paper: 6.60 (Table 1)}\n");
  EXPECT_EQ(sweep.title, "Some runs");
  EXPECT_THAT(names(sweep), ElementsAre("01_two_groups", "02_b"));
  EXPECT_EQ(sweep.runs[0].label, "two groups");
  EXPECT_EQ(sweep.runs[1].paper, "6.60 (Table 1)");
  const PipelineConfig first = config_of(sweep.runs[0]);
  EXPECT_EQ(first.binarize.split_points, 1);
  EXPECT_EQ(first.binarize.iterations, 7) << "of the base";
  EXPECT_EQ(first.run.seed, 9U);
  EXPECT_EQ(first.run.dir, "out/01_two_groups");
  EXPECT_EQ(first.run.shared, "out/shared");
  EXPECT_EQ(config_of(sweep.runs[1]).binarize.iterations, 2);
}

TEST_F(SweepFile, CombinesAxes) {
  const Sweep sweep = expand(
      "axes:\n"
      "  codebook.vector_length: [8, 16]\n"
      "  codebook.target_bits: [0.5, 0.75]\n");
  EXPECT_THAT(
      names(sweep),
      ElementsAre("01_vector_length_8_target_bits_0.5", "02_vector_length_8_target_bits_0.75",
                  "03_vector_length_16_target_bits_0.5", "04_vector_length_16_target_bits_0.75"));
  const PipelineConfig third = config_of(sweep.runs[2]);
  EXPECT_EQ(third.codebook->vector_length, 16);
  EXPECT_EQ(third.codebook->target_bits, 0.5);
}

TEST_F(SweepFile, CombinesRunsWithAxes) {
  const Sweep sweep = expand(
      "runs: [{name: a, set: {binarize.split_points: 1}}, {name: b}]\n"
      "axes: {binarize.iterations: [1, 2]}\n");
  EXPECT_THAT(names(sweep), ElementsAre("01_a_iterations_1", "02_a_iterations_2",
                                        "03_b_iterations_1", "04_b_iterations_2"));
}

TEST_F(SweepFile, KeepsASharedDirectoryOfTheBase) {
  const Sweep sweep = expand("set: {run.shared: elsewhere}\nruns: [{name: a}]\n");
  EXPECT_EQ(config_of(sweep.runs[0]).run.shared, "elsewhere");
}

TEST_F(SweepFile, RefusesMistakes) {
  EXPECT_THAT(error_of(""), HasSubstr("expected a list `runs` or a mapping `axes`"));
  EXPECT_THAT(error_of("run: []\n"), AllOf(HasSubstr("sweep.yaml"), HasSubstr("unknown key")));
  EXPECT_THAT(error_of("runs: []\n"), HasSubstr("a list that is not empty"));
  EXPECT_THAT(error_of("runs: [{set: {a: 1}}]\n"), HasSubstr("required key missing: name"));
  EXPECT_THAT(error_of("runs: [{name: a}, {name: a}]\n"), HasSubstr("'a' is given twice"));
  EXPECT_THAT(error_of("axes: {binarize.iterations: 3}\n"), HasSubstr("axes.binarize.iterations"));
  EXPECT_THAT(error_of("runs: [{name: bad, set: {binarize.iterations: many}}]\n"),
              AllOf(HasSubstr("run 'bad'"), HasSubstr("binarize.iterations"), HasSubstr("many")));
}

/// The shipped sweeps, from the folder that their paths begin in.
TEST(ShippedSweeps, AreAccepted) {
  const fs::path before = fs::current_path();
  fs::current_path(BTC_SOURCE_DIR);
  std::size_t found = 0;
  for (const auto& entry : fs::directory_iterator("configs/ablations")) {
    if (!entry.path().stem().string().ends_with("base")) {
      EXPECT_GT(expand_sweep(entry.path(), "out").runs.size(), 1U) << entry.path();
      ++found;
    }
  }
  fs::current_path(before);
  EXPECT_GT(found, 0U);
}

}  // namespace
}  // namespace btc
