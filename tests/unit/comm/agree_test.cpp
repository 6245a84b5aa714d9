#include "comm/agree.hpp"

#include <gmock/gmock.h>

#include <optional>

#include "common/error.hpp"

namespace btc {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

/// What `agree` threw on this rank.
std::optional<StageFailed> failure_of(const std::function<void()>& call) {
  try {
    call();
  } catch (const StageFailed& failed) {
    return failed;
  }
  return std::nullopt;
}

TEST(Agree, RunsTheBodyOnEveryRankAndIsSilentOnSuccess) {
  const Communicator world = Communicator::world();
  bool ran = false;
  agree(world, "nothing", [&] { ran = true; });
  EXPECT_TRUE(ran);
}

TEST(Agree, OneThrowingRankFailsAllWithItsReason) {
  const Communicator world = Communicator::world();
  const int thrower = world.size() - 1;
  const auto failed = failure_of([&] {
    agree(world, "capture",
          [&] { BTC_REQUIRE(FormatError, world.rank() != thrower, "block 17 is cut off"); });
  });
  ASSERT_TRUE(failed.has_value());
  EXPECT_THAT(failed->what(), AllOf(HasSubstr("capture failed"), HasSubstr("block 17 is cut off"),
                                    HasSubstr(concat("on rank ", thrower, ":"))));
  EXPECT_FALSE(failed->user_error());
}

TEST(Agree, IsAUserErrorOnlyIfEveryReasonIsOne) {
  const Communicator world = Communicator::world();
  const auto all =
      failure_of([&] { agree(world, "start", [] { throw ConfigError("no key x"); }); });
  ASSERT_TRUE(all.has_value());
  EXPECT_TRUE(all->user_error());

  const auto first_only = failure_of([&] {
    agree(world, "start", [&] {
      if (world.rank() == 0) {
        throw InputError("no file y");
      }
    });
  });
  ASSERT_TRUE(first_only.has_value());
  EXPECT_TRUE(first_only->user_error());

  const auto mixed = failure_of([&] {
    agree(world, "start", [&] {
      if (world.rank() == 0) {
        throw std::out_of_range("a bug");
      }
      throw ConfigError("no key x");
    });
  });
  ASSERT_TRUE(mixed.has_value());
  EXPECT_FALSE(mixed->user_error());
  EXPECT_THAT(mixed->what(), HasSubstr("a bug"));
}

TEST(Agree, NamesEachRankAndReasonOnce) {
  const Communicator world = Communicator::world();
  if (world.size() < 3) {
    GTEST_SKIP() << "needs three ranks";
  }
  const auto failed = failure_of(
      [&] { agree(world, "x", [&] { throw Error(world.rank() == 1 ? "odd" : "even"); }); });
  ASSERT_TRUE(failed.has_value());
  EXPECT_STREQ(failed->what(), "x failed on ranks 0, 2: even; rank 1: odd");
}

TEST(Agree, KeepsTheUserFlagOfAnAgreeInside) {
  const Communicator world = Communicator::world();
  const auto failed = failure_of([&] {
    agree(world, "outer", [&] { agree(world, "inner", [] { throw ConfigError("key"); }); });
  });
  ASSERT_TRUE(failed.has_value());
  EXPECT_TRUE(failed->user_error());
  EXPECT_THAT(failed->what(), AllOf(HasSubstr("outer"), HasSubstr("inner")));
}

TEST(Agree, ReportsExceptionsOfUnknownType) {
  const Communicator world = Communicator::world();
  const auto failed = failure_of([&] { agree(world, "x", [] { throw 5; }); });
  ASSERT_TRUE(failed.has_value());
  EXPECT_THAT(failed->what(), HasSubstr("unknown type"));
}

TEST(AgreeOnFailures, ListsTheUnitsOfAllRanks) {
  const Communicator world = Communicator::world();
  agree_on_failures(world, "encode", {});
  std::vector<UnitFailure> failures;
  if (world.rank() == world.size() - 1) {
    failures = {{"block 3", "singular", false}, {"block 4", "", true}};
  }
  const auto failed = failure_of([&] { agree_on_failures(world, "encode", failures); });
  ASSERT_TRUE(failed.has_value());
  EXPECT_THAT(failed->what(),
              AllOf(HasSubstr("encode: 2 units failed"),
                    HasSubstr(concat("block 3 (rank ", world.size() - 1, "): singular")),
                    HasSubstr("block 4"), Not(HasSubstr("block 5"))));
  EXPECT_FALSE(failed->user_error());
}

TEST(AgreeOnFailures, IsAUserErrorIfAllAre) {
  const Communicator world = Communicator::world();
  const auto failed = failure_of([&] {
    agree_on_failures(world, "encode", {{concat("block ", world.rank()), "no backend", true}});
  });
  ASSERT_TRUE(failed.has_value());
  EXPECT_TRUE(failed->user_error());
}

}  // namespace
}  // namespace btc
