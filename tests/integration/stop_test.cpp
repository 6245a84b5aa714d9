/// Signals, time limit and stop file end a run between units; the same command goes on.

#include <gmock/gmock.h>

#include <chrono>
#include <csignal>
#include <fstream>
#include <thread>

#include "io/directory_lock.hpp"
#include "support/pipeline_run.hpp"

namespace btc::test {
namespace {

constexpr int kStopped = 85;
constexpr int kRanks = 2;

/// Enough units, with the windows of the text, that a request always meets an unfinished run.
const ToyModel kToy = {.hidden = 64, .intermediate = 160, .blocks = 10, .heads = 8};

class Stop : public ::testing::Test {
 protected:
  /// All tests compare with this one undisturbed run.
  static void SetUpTestSuite() {
    bench() = std::make_unique<ToyBench>("stop", kToy);
    bench()->configure("undisturbed", settings());
    const ProcessResult result = bench()->start("undisturbed", kRanks);
    ASSERT_EQ(result.exit_code, 0) << result.text();
  }
  static void TearDownTestSuite() { bench().reset(); }

  static std::unique_ptr<ToyBench>& bench() {
    static std::unique_ptr<ToyBench> the_bench;
    return the_bench;
  }
  static ToySettings settings() {
    return {.evaluate =
                "{perplexity: [{name: toy, source: ids, path: TEXT, window: 4}], "
                "windows_in_memory: 1}"};
  }

  /// Waits until the run has recorded its first captured block.
  static void await_first_block(Process& process, const std::string& run) {
    const auto record = bench()->run_dir(run) / "state/capture/block-00001.json";
    while (process.running() && !std::filesystem::exists(record)) {
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
  }
  static void expect_stopped(const ProcessResult& result, const std::string& run) {
    EXPECT_EQ(result.exit_code, kStopped) << result.text();
    EXPECT_THAT(result.text(), ::testing::HasSubstr("stopped at a unit boundary"));
    EXPECT_FALSE(std::filesystem::exists(bench()->run_dir(run) / "results.json"));
  }
  static void expect_finishes(const std::string& run) {
    const ProcessResult result = bench()->start(run, kRanks);
    EXPECT_EQ(result.exit_code, 0) << result.text();
    EXPECT_EQ(hashes_below(bench()->run_dir(run) / "model"),
              hashes_below(bench()->run_dir("undisturbed") / "model"));
  }
  /// Records, data and results: everything but what is for people.
  static auto contents(const std::string& run) {
    auto files = times_below(bench()->run_dir(run));
    std::erase_if(files, [](const auto& file) { return file.first.starts_with("logs/"); });
    return files;
  }
};

TEST_F(Stop, BySignalUsr1ToMpirun) {
  bench()->configure("usr1", settings());
  Process process(bench()->command("usr1", kRanks));
  await_first_block(process, "usr1");
  process.signal(SIGUSR1);
  expect_stopped(process.wait(), "usr1");
  expect_finishes("usr1");
}

TEST_F(Stop, BySignalTermToOneRank) {
  bench()->configure("term", settings());
  Process process(bench()->command("term", kRanks));
  await_first_block(process, "term");
  const auto ranks = process.members("btc_pipeline");
  ASSERT_EQ(ranks.size(), static_cast<std::size_t>(kRanks));
  kill(ranks.back(), SIGTERM);
  expect_stopped(process.wait(), "term");
  expect_finishes("term");
}

TEST_F(Stop, ByTimeLimitUntilAllIsDone) {
  bench()->configure("limit", settings());
  expect_stopped(bench()->start("limit", kRanks, {"--max-hours", "1e-9"}), "limit");
  constexpr double kHour = 3600;
  constexpr double kGrowth = 1.4;  // a loaded machine may do nothing in the first limits
  int stops = 0;
  int exit_code = kStopped;
  for (double seconds = 0.3; exit_code == kStopped && seconds < kHour; seconds *= kGrowth) {
    const ProcessResult result =
        bench()->start("limit", kRanks, {"--max-hours", std::to_string(seconds / kHour)});
    exit_code = result.exit_code;
    stops += exit_code == kStopped ? 1 : 0;
  }
  EXPECT_EQ(exit_code, 0);
  EXPECT_GE(stops, 1);
  expect_finishes("limit");
}

TEST_F(Stop, ByFileMidway) {
  bench()->configure("file", settings());
  Process process(bench()->command("file", kRanks));
  await_first_block(process, "file");
  std::ofstream(bench()->run_dir("file") / "STOP").close();
  expect_stopped(process.wait(), "file");

  const auto before = contents("file");
  expect_stopped(bench()->start("file", kRanks), "file");
  EXPECT_EQ(contents("file"), before) << "a start with STOP present does nothing";
  std::filesystem::remove(bench()->run_dir("file") / "STOP");
  expect_finishes("file");
}

TEST_F(Stop, FilePresentAtTheFirstStartMeansNoWork) {
  bench()->configure("present", settings());
  std::filesystem::create_directories(bench()->run_dir("present"));
  std::ofstream(bench()->run_dir("present") / "STOP").close();
  expect_stopped(bench()->start("present", kRanks), "present");
  EXPECT_THAT(contents("present"), ::testing::ElementsAre(::testing::Key("STOP")));
}

/// A start that waits for another one in the same directory can be stopped, and else goes on.
TEST_F(Stop, WhileAnotherStartHoldsTheRunDirectory) {
  bench()->configure("held", settings());
  auto held = DirectoryLock::try_acquire(bench()->run_dir("held") / "state/lock");
  ASSERT_TRUE(held.has_value());
  Process process(bench()->command("held", kRanks));
  while (process.running() &&
         process.text_so_far().find("waiting: another start") == std::string::npos) {
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  std::ofstream(bench()->run_dir("held") / "STOP").close();
  const ProcessResult stopped = process.wait();
  expect_stopped(stopped, "held");
  EXPECT_THAT(stopped.text(), ::testing::Not(::testing::HasSubstr("units to do")));

  std::filesystem::remove(bench()->run_dir("held") / "STOP");
  held.reset();
  expect_finishes("held");
}

}  // namespace
}  // namespace btc::test
