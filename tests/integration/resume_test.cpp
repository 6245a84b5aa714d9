/// A second start redoes what the configuration changed, and nothing else.

#include <gmock/gmock.h>

#include <chrono>
#include <csignal>
#include <nlohmann/json.hpp>
#include <set>
#include <thread>

#include "io/atomic_file.hpp"
#include "support/pipeline_run.hpp"

namespace btc::test {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::UnorderedElementsAre;

using Times = std::map<std::string, std::int64_t>;

/// Files whose modification time differs, or that are new.
std::set<std::string> changed(const Times& before, const Times& after) {
  std::set<std::string> files;
  for (const auto& [file, time] : after) {
    const auto old = before.find(file);
    if (old == before.end() || old->second != time) {
      files.insert(file);
    }
  }
  return files;
}

class Resume : public ::testing::Test {
 protected:
  void SetUp() override {
    bench_.configure("toy", {.evaluate = "{perplexity: [{name: toy, source: ids, path: TEXT, "
                                         "window: 32}]}"});
    const ProcessResult first = bench_.start("toy", 2);
    ASSERT_EQ(first.exit_code, 0) << first.text();
  }

  /// Starts once more and gives the records written anew, by path below state/.
  std::set<std::string> redone(const std::vector<std::string>& arguments, int ranks = 2) {
    const Times before = times_below(dir_ / "state");
    last_ = bench_.start("toy", ranks, arguments);
    EXPECT_EQ(last_.exit_code, 0) << last_.text();
    std::set<std::string> files = changed(before, times_below(dir_ / "state"));
    files.erase("seconds.json");
    return files;
  }

  const ToyBench bench_{"resume", {.blocks = 2}};
  const std::filesystem::path dir_ = bench_.run_dir("toy");
  ProcessResult last_;
};

TEST_F(Resume, OfAFinishedRunChangesNoFileAndSaysSo) {
  const Times before = times_below(dir_);
  const auto hashes = hashes_below(dir_);
  const ProcessResult again = bench_.start("toy", 2);
  EXPECT_EQ(again.exit_code, 0) << again.text();
  EXPECT_THAT(again.text(), HasSubstr("nothing to do"));
  std::set<std::string> files = changed(before, times_below(dir_));
  files.erase("logs/rank_0.log");  // it says that there was nothing to do
  files.erase("logs/rank_1.log");
  EXPECT_THAT(files, IsEmpty());
  EXPECT_EQ(hashes_below(dir_).size(), hashes.size());
}

TEST_F(Resume, WithOtherCodebookSizeKeepsEverythingBeforeTheCodebook) {
  EXPECT_THAT(redone({"--set", "codebook.target_bits=0.4"}),
              UnorderedElementsAre("codebook/model.json", "encode/block-00000.json",
                                   "encode/block-00001.json", "reduce/block-00000.json",
                                   "reduce/block-00001.json", "reduce/outer.json",
                                   "reduce/model.json", "evaluate/packed-toy-0.json"));
}

TEST_F(Resume, WithOtherAssignmentKeepsTheCodebookToo) {
  EXPECT_THAT(redone({"--set", "codebook.assignment=hamming"}),
              UnorderedElementsAre("encode/block-00000.json", "encode/block-00001.json",
                                   "reduce/block-00000.json", "reduce/block-00001.json",
                                   "reduce/model.json", "evaluate/packed-toy-0.json"));
}

TEST_F(Resume, WithOtherSplitPointsKeepsSequencesAndActivations) {
  const auto files = redone({"--set", "binarize.split_points=1"});
  EXPECT_THAT(files,
              ::testing::IsSupersetOf({"binarize/block-00000.json", "binarize/block-00001.json",
                                       "codebook/model.json", "encode/block-00001.json"}));
  for (const std::string& file : files) {
    EXPECT_THAT(file, ::testing::Not(::testing::AnyOf(HasSubstr("sequences"), HasSubstr("capture"),
                                                      HasSubstr("original"))));
  }
}

TEST_F(Resume, WithRefinementKeepsTheEncodedBlocks) {
  EXPECT_THAT(redone({"--set", "refine.block_epochs=1"}),
              UnorderedElementsAre("refine/block-00000.json", "refine/block-00001.json",
                                   "reduce/block-00000.json", "reduce/block-00001.json",
                                   "reduce/model.json", "evaluate/packed-toy-0.json"));
  EXPECT_THAT(redone({"--set", "refine.block_epochs=1"}), IsEmpty());
}

TEST_F(Resume, WithDistillationRedoesOnlyTheEpochThatIsGone) {
  redone({"--set", "refine.kd_epochs=3"});
  const auto expected = hashes_below(dir_ / "model");
  EXPECT_THAT(redone({"--set", "refine.kd_epochs=3"}), IsEmpty());
  std::filesystem::remove(dir_ / "distilled/epoch-2.h5");
  EXPECT_THAT(redone({"--set", "refine.kd_epochs=3"}, 3),
              UnorderedElementsAre("distill/epoch-2.json"));
  std::filesystem::remove(dir_ / "distilled/epoch-3.h5");
  std::filesystem::remove(dir_ / "distilled/block-00001.safetensors");
  EXPECT_THAT(redone({"--set", "refine.kd_epochs=3"}, 1),
              UnorderedElementsAre("distill/epoch-3.json", "distill/block-00001.json"));
  EXPECT_EQ(hashes_below(dir_ / "model"), expected);
}

TEST_F(Resume, WithFewerWindowsEvaluatesOnly) {
  EXPECT_THAT(redone({"--set", "evaluate.perplexity=[{name: toy, source: ids, path: " +
                                   bench_.text().string() + ", window: 32, windows: 3}]"}),
              UnorderedElementsAre("sequences/evaluation-toy.json", "evaluate/original-toy-0.json",
                                   "evaluate/packed-toy-0.json"));
}

TEST_F(Resume, WithOtherCalibrationRedoesAllButTheOriginalsEvaluation) {
  const auto files = redone({"--set", "calibration.samples=7"});
  EXPECT_THAT(files,
              ::testing::IsSupersetOf({"sequences/calibration.json", "capture/block-00000.json",
                                       "binarize/block-00001.json", "reduce/model.json"}));
  EXPECT_THAT(files, ::testing::Not(::testing::Contains(HasSubstr("original"))));
}

TEST_F(Resume, WithMoreThreadsMeasuresTheOriginalAgain) {
  const auto files = redone({"--set", "compute.threads_per_rank=2"});
  EXPECT_THAT(files, ::testing::IsSupersetOf({"capture/block-00000.json", "reduce/model.json",
                                              "evaluate/original-toy-0.json"}));
  EXPECT_THAT(files, ::testing::Not(::testing::Contains(HasSubstr("sequences"))));
}

TEST_F(Resume, WithAnotherNumberOfRanksDoesNothing) {
  EXPECT_THAT(redone({}, 3), IsEmpty());
  EXPECT_THAT(last_.text(), HasSubstr("nothing to do"));
}

TEST_F(Resume, InAMovedDirectoryDoesNothing) {
  const auto moved = bench_.run_dir("moved");
  std::filesystem::rename(dir_, moved);
  const ProcessResult again = bench_.start("toy", 2, {"--set", "run.dir=" + moved.string()});
  EXPECT_EQ(again.exit_code, 0) << again.text();
  EXPECT_THAT(again.text(), HasSubstr("nothing to do"));
}

TEST_F(Resume, RedoesAUnitWhoseFileIsGoneOrShort) {
  const auto expected = hashes_below(dir_ / "model");
  std::filesystem::remove(dir_ / "packed/block-00001.safetensors");
  std::filesystem::remove(dir_ / "model/model-00001-of-00003.safetensors");
  std::filesystem::resize_file(dir_ / "binarized/block-00000.h5", 100);
  EXPECT_THAT(redone({}),
              UnorderedElementsAre("binarize/block-00000.json", "encode/block-00001.json",
                                   "reduce/block-00000.json", "reduce/model.json"));
  EXPECT_EQ(hashes_below(dir_ / "model"), expected);
}

TEST_F(Resume, WithFullVerificationFindsAChangedByte) {
  const auto expected = hashes_below(dir_ / "model");
  const auto file = dir_ / "packed/block-00001.safetensors";
  std::string bytes = read_bytes(file);
  bytes.back() = static_cast<char>(bytes.back() ^ 1);
  write_bytes(file, bytes);
  EXPECT_THAT(redone({"--set", "resume.verify=full"}),
              UnorderedElementsAre("source.json", "encode/block-00001.json"));
  EXPECT_EQ(hashes_below(dir_ / "model"), expected);
}

TEST_F(Resume, MakesEveryMissingFileOfTheModelAnew) {
  const auto expected = hashes_below(dir_ / "model");
  for (const auto& [file, hash] : expected) {
    std::filesystem::remove(dir_ / "model" / file);
    const auto files = redone({});
    EXPECT_THAT(files, ::testing::Contains("reduce/model.json")) << file;
    EXPECT_EQ(hashes_below(dir_ / "model"), expected) << file;
  }
}

TEST_F(Resume, WithAnotherModelLeavesNoFileOfTheOldOne) {
  write_toy_model(bench_.model(), {.blocks = 1});
  redone({});
  const auto inspected = run_process({program("btc"), "inspect", (dir_ / "model").string()});
  EXPECT_EQ(inspected.exit_code, 0) << inspected.text();
  std::vector<std::string> files;
  for (const auto& [file, hash] : hashes_below(dir_ / "model")) {
    files.push_back(file);
  }
  EXPECT_THAT(files, UnorderedElementsAre(
                         "config.json", "manifest.json", "model.safetensors.index.json",
                         "model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors"));
}

TEST_F(Resume, NoticesChangedWeights) {
  write_toy_model(bench_.model(), {.blocks = 2, .seed = 9});
  const auto files = redone({});
  EXPECT_THAT(files,
              ::testing::IsSupersetOf({"source.json", "capture/block-00000.json",
                                       "reduce/model.json", "evaluate/original-toy-0.json"}));
}

/// Runs that differ in how they quantize do the original model's part once, and pack what they pack
/// alone.
TEST_F(Resume, WhatRunsShareIsDoneOnce) {
  const std::string evaluate = "{perplexity: [{name: toy, source: ids, path: TEXT, window: 32}]}";
  const std::string shared = "run.shared=" + (bench_.root() / "shared").string();
  bench_.configure("first", {.evaluate = evaluate});
  bench_.configure("second", {.evaluate = evaluate});
  ASSERT_EQ(bench_.start("first", 2, {"--set", shared}).exit_code, 0);
  EXPECT_EQ(hashes_below(bench_.run_dir("first") / "model"), hashes_below(dir_ / "model"));
  const Times kept = times_below(bench_.root() / "shared");
  EXPECT_THAT(kept, ::testing::Not(IsEmpty()));

  const std::vector<std::string> other = {"--set", "codebook.target_bits=0.7"};
  std::vector<std::string> other_shared = other;
  other_shared.insert(other_shared.end(), {"--set", shared});
  const ProcessResult second = bench_.start("second", 3, other_shared);
  ASSERT_EQ(second.exit_code, 0) << second.text();
  EXPECT_EQ(times_below(bench_.root() / "shared"), kept) << "captured or evaluated once more";
  for (const char* const stage : {"sequences", "capture", "activations"}) {
    EXPECT_FALSE(std::filesystem::exists(bench_.run_dir("second") / "state" / stage)) << stage;
    EXPECT_FALSE(std::filesystem::exists(bench_.run_dir("second") / stage)) << stage;
  }
  EXPECT_EQ(bench_.start("toy", 2, other).exit_code, 0);
  EXPECT_EQ(hashes_below(bench_.run_dir("second") / "model"), hashes_below(dir_ / "model"));
}

/// Nobody has to run a sweep in turn.
TEST_F(Resume, TwoRunsAtOnceMayHaveOneShare) {
  const std::string shared = "run.shared=" + (bench_.root() / "shared").string();
  bench_.configure("one", {});
  bench_.configure("other", {});
  Process one(bench_.command("one", 2, {"--set", shared}));
  Process other(bench_.command("other", 1, {"--set", shared}));
  const ProcessResult first = one.wait();
  const ProcessResult second = other.wait();
  EXPECT_EQ(first.exit_code, 0) << first.text();
  EXPECT_EQ(second.exit_code, 0) << second.text();
  EXPECT_EQ(hashes_below(bench_.run_dir("one") / "model"), hashes_below(dir_ / "model"));
  EXPECT_EQ(hashes_below(bench_.run_dir("other") / "model"), hashes_below(dir_ / "model"));
}

TEST_F(Resume, AnotherCalibrationHasItsOwnShare) {
  const std::string shared = "run.shared=" + (bench_.root() / "shared").string();
  ASSERT_EQ(bench_.start("toy", 2, {"--set", shared}).exit_code, 0);
  const Times kept = times_below(bench_.root() / "shared");
  ASSERT_EQ(bench_.start("toy", 2, {"--set", shared, "--set", "calibration.samples=4"}).exit_code,
            0);
  ASSERT_EQ(bench_.start("toy", 2, {"--set", shared}).exit_code, 0);
  const Times after = times_below(bench_.root() / "shared");
  for (const auto& [file, time] : kept) {
    EXPECT_EQ(after.at(file), time) << file;
  }
}

/// Killed, and stopped, once a block has finished an epoch; given a damaged state another time.
TEST(ResumeLearning, GoesOnAfterTheLastEpoch) {
  const ToyBench bench("resume-learning", {.blocks = 1});
  const ToySettings settings = {
      .transform = "{kind: flatquant, epochs: 120, batch: 2, learning_rate: 0.01}"};
  bench.configure("undisturbed", settings);
  const ProcessResult undisturbed = bench.start("undisturbed", 1);
  ASSERT_EQ(undisturbed.exit_code, 0) << undisturbed.text();
  const auto expected = hashes_below(bench.run_dir("undisturbed") / "model");

  const auto state = bench.run_dir("killed") / "transforms/block-00000.training.h5";
  const auto kill_while_learning = [&] {
    Process process(bench.command("killed", 1));
    while (process.running() && !std::filesystem::exists(state)) {
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
    process.kill_all();
    process.wait();
  };
  bench.configure("killed", settings);
  kill_while_learning();
  ASSERT_TRUE(std::filesystem::exists(state)) << "it ended before it was killed";
  const ProcessResult second = bench.start("killed", 1);
  ASSERT_EQ(second.exit_code, 0) << second.text();
  EXPECT_THAT(second.text(), HasSubstr("goes on after epoch"));
  EXPECT_EQ(hashes_below(bench.run_dir("killed") / "model"), expected);
  EXPECT_FALSE(std::filesystem::exists(state));

  bench.configure("stopped", settings);
  const auto stopped_state = bench.run_dir("stopped") / "transforms/block-00000.training.h5";
  Process process(bench.command("stopped", 1));
  while (process.running() && !std::filesystem::exists(stopped_state)) {
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  process.signal(SIGUSR1);
  const ProcessResult stopped = process.wait();
  EXPECT_EQ(stopped.exit_code, 85) << stopped.text();
  EXPECT_TRUE(std::filesystem::exists(stopped_state)) << "the block went on to its end";
  const ProcessResult later = bench.start("stopped", 1);
  ASSERT_EQ(later.exit_code, 0) << later.text();
  EXPECT_THAT(later.text(), HasSubstr("goes on after epoch"));
  EXPECT_EQ(hashes_below(bench.run_dir("stopped") / "model"), expected);

  std::filesystem::remove(bench.run_dir("killed") / "transforms/block-00000.h5");
  write_bytes(state, "no state");
  const ProcessResult third = bench.start("killed", 1);
  ASSERT_EQ(third.exit_code, 0) << third.text();
  EXPECT_THAT(third.text(), HasSubstr("learns from the start again"));
  EXPECT_EQ(hashes_below(bench.run_dir("killed") / "model"), expected);
}

}  // namespace
}  // namespace btc::test
