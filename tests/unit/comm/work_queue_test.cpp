#include "comm/work_queue.hpp"

#include <gmock/gmock.h>

#include <atomic>
#include <chrono>
#include <ctime>
#include <map>
#include <numeric>
#include <thread>

#include "comm/agree.hpp"
#include "common/error.hpp"
#include "common/timer.hpp"

namespace btc {
namespace {

using ::testing::Each;
using ::testing::HasSubstr;

constexpr int kFirstUnit = 100;

std::vector<int> numbered_units(int count) {
  std::vector<int> units(static_cast<std::size_t>(count));
  std::iota(units.begin(), units.end(), kFirstUnit);
  return units;
}

bool never() { return false; }

void sleep_ms(int milliseconds) {
  std::this_thread::sleep_for(std::chrono::milliseconds(milliseconds));
}

/// How often each unit was worked on, over all ranks.
class Tally {
 public:
  explicit Tally(std::size_t units) : counts_(units) {}
  void add(int unit) { ++counts_.at(static_cast<std::size_t>(unit - kFirstUnit)); }
  [[nodiscard]] std::uint64_t own() const {
    return std::accumulate(counts_.begin(), counts_.end(), std::uint64_t{0});
  }
  std::vector<std::uint64_t> over_all_ranks(const Communicator& comm) {
    comm.all_reduce_sum(counts_);
    return counts_;
  }

 private:
  std::vector<std::uint64_t> counts_;
};

TEST(WorkQueue, DealsEveryUnitExactlyOnce) {
  const Communicator world = Communicator::world();
  for (const int count : {0, 1, 2, 57}) {
    Tally tally(static_cast<std::size_t>(count));
    const auto outcome = run_queue(
        world, numbered_units(count), [&](int unit) { tally.add(unit); }, never);
    EXPECT_FALSE(outcome.stopped);
    EXPECT_THAT(tally.over_all_ranks(world), Each(1U)) << count;
  }
}

TEST(WorkQueue, RankZeroHearsOfEveryFinishedUnit) {
  const Communicator world = Communicator::world();
  std::map<int, std::string> heard;
  run_queue(world, numbered_units(9), [](int) {}, never,
            {[](int unit) { return concat("error of unit ", unit); },
             [&](int unit, const std::string& text) { heard[unit] = text; }});
  EXPECT_EQ(heard.size(), world.rank() == 0 ? 9U : 0U);
  for (const auto& [unit, text] : heard) {
    EXPECT_EQ(text, concat("error of unit ", unit));
  }
}

TEST(WorkQueue, KeepsTheGivenOrderOnARank) {
  const Communicator world = Communicator::world();
  std::vector<int> units = {7, 3, 9, 1, 8, 2};
  std::vector<int> seen;
  run_queue(
      world, units, [&](int unit) { seen.push_back(unit); }, never);
  std::size_t at = 0;
  for (const int unit : seen) {
    while (at < units.size() && units[at] != unit) {
      ++at;
    }
    EXPECT_LT(at, units.size()) << unit << " came out of order";
  }
}

TEST(WorkQueue, SlowUnitsDoNotHoldUpTheOthers) {
  const Communicator world = Communicator::world();
  constexpr int kUnits = 12;
  Tally tally(kUnits);
  run_queue(
      world, numbered_units(kUnits),
      [&](int unit) {
        tally.add(unit);
        sleep_ms(unit == kFirstUnit ? 300 : 20);
      },
      never);
  const auto busiest = world.all_reduce_max(static_cast<std::int64_t>(tally.own()));
  EXPECT_THAT(tally.over_all_ranks(world), Each(1U));
  if (world.size() > 1) {
    EXPECT_GT(busiest, kUnits / world.size()) << "the rank with the slow unit got its full share";
  }
}

TEST(WorkQueue, RanksServedWhileRankZeroComputes) {
  const Communicator world = Communicator::world();
  if (world.size() == 1) {
    GTEST_SKIP() << "needs two ranks";
  }
  constexpr int kUnits = 20;
  Tally tally(kUnits);
  run_queue(
      world, numbered_units(kUnits),
      [&](int unit) {
        tally.add(unit);
        if (world.rank() == 0) {
          for (const Timer busy; busy.seconds() < 0.4;) {
          }
        } else {
          sleep_ms(2);
        }
      },
      never);
  if (world.rank() == 0) {
    EXPECT_LE(tally.own(), 3U) << "the others waited for rank 0";
  }
  EXPECT_THAT(tally.over_all_ranks(world), Each(1U));
}

TEST(WorkQueue, AStopRequestOnOneRankEndsTheDealing) {
  const Communicator world = Communicator::world();
  constexpr int kUnits = 60;
  Tally tally(kUnits);
  const int stopper = world.size() - 1;
  const auto outcome = run_queue(
      world, numbered_units(kUnits),
      [&](int unit) {
        tally.add(unit);
        sleep_ms(5);
      },
      [&] { return world.rank() == stopper && tally.own() == 3; });
  EXPECT_TRUE(outcome.stopped);
  const auto own = tally.own();
  if (world.rank() == stopper) {
    EXPECT_EQ(own, 3U);
  }
  const auto counts = tally.over_all_ranks(world);
  const auto done = std::accumulate(counts.begin(), counts.end(), std::uint64_t{0});
  EXPECT_LT(done, static_cast<std::uint64_t>(kUnits));
  for (std::size_t i = 0; i < counts.size(); ++i) {
    EXPECT_EQ(counts[i], i < done ? 1U : 0U) << "units are begun in the order given";
  }
}

TEST(WorkQueue, AStopBeforeTheFirstUnitDealsNothing) {
  const Communicator world = Communicator::world();
  Tally tally(5);
  const auto outcome = run_queue(
      world, numbered_units(5), [&](int unit) { tally.add(unit); }, [] { return true; });
  EXPECT_TRUE(outcome.stopped);
  EXPECT_THAT(tally.over_all_ranks(world), Each(0U));
}

TEST(WorkQueue, AStopAfterTheLastUnitIsNoStop) {
  const Communicator world = Communicator::world();
  std::atomic<bool> worked = false;
  const auto outcome = run_queue(
      world, numbered_units(1), [&](int) { worked = true; }, [&] { return worked.load(); });
  EXPECT_FALSE(outcome.stopped);
}

TEST(WorkQueue, AnExceptionFailsAllRanksAndHangsNone) {
  const Communicator world = Communicator::world();
  constexpr int kUnits = 40;
  Tally tally(kUnits);
  try {
    run_queue(
        world, numbered_units(kUnits),
        [&](int unit) {
          tally.add(unit);
          sleep_ms(5);
          BTC_REQUIRE(InputError, unit != kFirstUnit + 4, "unit ", unit, " is bad");
        },
        never);
    ADD_FAILURE() << "did not throw";
  } catch (const StageFailed& failed) {
    EXPECT_THAT(failed.what(), HasSubstr("unit 104 is bad"));
    EXPECT_TRUE(failed.user_error());
  }
  const auto counts = tally.over_all_ranks(world);
  EXPECT_EQ(counts[4], 1U);
  EXPECT_EQ(counts[kUnits - 1], 0U);

  EXPECT_THROW(run_queue(
                   world, numbered_units(3), [](int) {},
                   []() -> bool { throw IoError("cannot look for the stop file"); }),
               StageFailed);
}

TEST(WorkQueue, WaitingCostsNoCore) {
  const Communicator world = Communicator::world();
  if (world.size() == 1) {
    GTEST_SKIP() << "needs two ranks";
  }
  timespec before{};
  timespec after{};
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &before);
  run_queue(
      world, numbered_units(1), [](int) { sleep_ms(500); }, never);
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &after);
  const double cpu = static_cast<double>(after.tv_sec - before.tv_sec) +
                     1e-9 * static_cast<double>(after.tv_nsec - before.tv_nsec);
  EXPECT_LT(cpu, 0.25) << "a rank without work spins";
}

}  // namespace
}  // namespace btc
