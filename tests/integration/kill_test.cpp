/// kill -9 at any moment: the same command, given often enough, ends with the same bytes.

#include <gmock/gmock.h>

#include <chrono>
#include <csignal>
#include <nlohmann/json.hpp>
#include <thread>

#include "common/rng.hpp"
#include "io/atomic_file.hpp"
#include "support/pipeline_run.hpp"

namespace btc::test {
namespace {

constexpr int kRanks = 2;
constexpr int kLeastKills = 8;
/// A run meets one or two kills, or none where the machine became faster since it was timed.
constexpr int kMostRuns = 20;

const ToyModel kToy = {.family = "qwen2", .blocks = 4, .tied_head = true};

ToySettings settings() {
  return {.calibration = "{source: self, samples: 24, window: 32}",
          .evaluate =
              "{perplexity: [{name: toy, source: ids, path: TEXT, window: 32}], "
              "windows_in_memory: 2}"};
}

nlohmann::json perplexities(const ToyBench& bench, const std::string& run) {
  const auto results = nlohmann::json::parse(read_text_file(bench.run_dir(run) / "results.json"));
  return results.at("btc").at("perplexity");
}

enum class Victim { kAllRanks, kOneRank, kEverything };

void kill_victim(Process& process, Victim victim, Rng& rng) {
  const std::vector<pid_t> ranks = process.members("btc_pipeline");
  if (victim == Victim::kEverything) {
    process.kill_all();  // as when the machine stops: mpirun too
  } else if (victim == Victim::kAllRanks) {
    for (const pid_t rank : ranks) {
      kill(rank, SIGKILL);
    }
  } else if (!ranks.empty()) {
    kill(ranks[rng.below(ranks.size())], SIGKILL);
  }
}

/// What happened to one run.
struct History {
  int kills = 0;
  ProcessResult last;
};

/// Starts the run again and again, each time killed at a random moment, until it gets through.
/// @param typical seconds of an undisturbed run
History run_among_kills(const ToyBench& bench, const std::string& run, double typical, Rng& rng) {
  constexpr int kMostStarts = 60;
  History history;
  for (int start = 0; start < kMostStarts; ++start) {
    // Shared memory that a killed rank leaves goes away with the test's directory.
    Process process(
        bench.command(run, kRanks),
        {.environment = {{"OMPI_MCA_btl_vader_backing_directory", bench.root().string()}}});
    const double moment = typical * rng.uniform();
    while (process.running() && process.seconds() < moment) {
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
    const bool killed = process.running();
    if (killed) {
      kill_victim(process, static_cast<Victim>(rng.below(3)), rng);
    }
    history.last = process.wait();
    if (history.last.exit_code == 0 || !killed) {
      break;
    }
    ++history.kills;
  }
  return history;
}

TEST(Kill, AnywhereLeavesARunThatTheSameCommandFinishes) {
  const ToyBench bench("kill", kToy);
  bench.configure("undisturbed", settings());
  const ProcessResult undisturbed = bench.start("undisturbed", kRanks);
  ASSERT_EQ(undisturbed.exit_code, 0) << undisturbed.text();
  const auto expected = hashes_below(bench.run_dir("undisturbed") / "model");

  Rng rng(2026);
  int kills = 0;
  for (int i = 0; kills < kLeastKills; ++i) {
    ASSERT_LT(i, kMostRuns) << "only " << kills << " kills met a living run";
    const std::string run = "killed-" + std::to_string(i);
    bench.configure(run, settings());
    const History history = run_among_kills(bench, run, undisturbed.seconds, rng);
    ASSERT_EQ(history.last.exit_code, 0) << history.last.text();
    kills += history.kills;
    EXPECT_EQ(hashes_below(bench.run_dir(run) / "model"), expected);
    EXPECT_EQ(perplexities(bench, run), perplexities(bench, "undisturbed"));
    for (const auto& [file, hash] : hashes_below(bench.run_dir(run))) {
      EXPECT_THAT(file, ::testing::Not(::testing::HasSubstr(".tmp"))) << "left by a killed writer";
    }
    const auto times = times_below(bench.run_dir(run) / "state");
    const ProcessResult again = bench.start(run, kRanks);
    EXPECT_EQ(again.exit_code, 0) << again.text();
    EXPECT_THAT(again.text(), ::testing::HasSubstr("nothing to do"));
    EXPECT_EQ(times_below(bench.run_dir(run) / "state"), times);
  }
  RecordProperty("kills", kills);
}

}  // namespace
}  // namespace btc::test
