/// A rank that disappears while the others wait for it: nothing may be left running.

#include <gmock/gmock.h>

#include <chrono>
#include <csignal>
#include <thread>

#include "support/pipeline_run.hpp"

namespace btc::test {
namespace {

using ::testing::HasSubstr;

constexpr int kRanks = 3;
constexpr double kLongestFailure = 30;
constexpr auto kLook = std::chrono::milliseconds(5);

/// Where the run is when one process is lost.
struct Loss {
  std::string name;
  std::string seen;  ///< what the run has printed by then
  bool first_rank = false;
};

void PrintTo(const Loss& loss, std::ostream* out) {  // NOLINT(readability-identifier-naming)
  *out << loss.name;
}

const ToyModel kToy = {.hidden = 64, .intermediate = 160, .blocks = 12, .heads = 8};

class RankLoss : public ::testing::TestWithParam<Loss> {
 protected:
  RankLoss() : bench_("rank-loss", kToy) {
    bench_.configure("a",
                     {.evaluate = "{perplexity: [{name: toy, source: ids, path: TEXT, window: 2}], "
                                  "windows_in_memory: 1}"});
  }

  static void wait_for(Process& run, const std::string& text) {
    while (run.running() && run.text_so_far().find(text) == std::string::npos) {
      std::this_thread::sleep_for(kLook);
    }
    ASSERT_THAT(run.text_so_far(), HasSubstr(text));
  }
  /// @return seconds until no rank is left
  static double seconds_to_the_end(const Process& run) {
    const double start = run.seconds();
    while (!run.members("btc_pipeline").empty() && run.seconds() < start + kLongestFailure) {
      std::this_thread::sleep_for(kLook);
    }
    return run.seconds() - start;
  }

  ToyBench bench_;
};

TEST_P(RankLoss, EndsAllOthersWhileTheyWait) {
  const Loss& loss = GetParam();
  Process run(bench_.command("a", kRanks));
  wait_for(run, loss.seen);
  const std::vector<pid_t> ranks = run.members("btc_pipeline");
  ASSERT_EQ(ranks.size(), static_cast<std::size_t>(kRanks)) << run.text_so_far();
  const pid_t lost = loss.first_rank ? ranks.front() : ranks.back();
  // Stopped first, so that the others surely wait for it when it dies.
  ASSERT_EQ(::kill(lost, SIGSTOP), 0);
  std::this_thread::sleep_for(std::chrono::milliseconds(300));
  ASSERT_EQ(::kill(lost, SIGKILL), 0);
  EXPECT_LT(seconds_to_the_end(run), kLongestFailure);
  EXPECT_NE(run.wait().exit_code, 0);
}

INSTANTIATE_TEST_SUITE_P(Stages, RankLoss,
                         ::testing::Values(Loss{"first_in_capture", "capture: ", true},
                                           Loss{"last_in_capture", "capture: ", false},
                                           Loss{"first_in_a_queue", "binarize: ", true},
                                           Loss{"last_in_a_queue", "encode: ", false},
                                           Loss{"first_in_evaluate", "evaluate original", true},
                                           Loss{"last_in_evaluate", "evaluate packed", false}),
                         [](const auto& test) { return test.param.name; });

TEST_F(RankLoss, OfMpirunEndsAllRanks) {
  Process run(bench_.command("a", kRanks));
  wait_for(run, "binarize: ");
  run.signal(SIGKILL);
  EXPECT_LT(seconds_to_the_end(run), kLongestFailure);
  EXPECT_NE(run.wait().exit_code, 0);
}

/// Nobody should, but a job script may do it.
TEST_F(RankLoss, TwoStartsAtOnceEndWithTheSameBytes) {
  bench_.configure("alone", {});
  ASSERT_EQ(bench_.start("alone", 2).exit_code, 0);
  bench_.configure("a", {});
  Process one(bench_.command("a", 2));
  Process other(bench_.command("a", 1));
  const ProcessResult first = one.wait();
  const ProcessResult second = other.wait();
  EXPECT_EQ(first.exit_code, 0) << first.text();
  EXPECT_EQ(second.exit_code, 0) << second.text();
  EXPECT_EQ(hashes_below(bench_.run_dir("a") / "model"),
            hashes_below(bench_.run_dir("alone") / "model"));
  EXPECT_EQ(
      run_process({program("btc"), "inspect", (bench_.run_dir("a") / "model").string()}).exit_code,
      0);
}

}  // namespace
}  // namespace btc::test
