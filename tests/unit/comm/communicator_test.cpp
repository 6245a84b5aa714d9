#include "comm/communicator.hpp"

#include <gmock/gmock.h>

#include <numeric>
#include <utility>

#include "common/error.hpp"

namespace btc {
namespace {

using ::testing::Each;
using ::testing::HasSubstr;
using ::testing::Not;

std::vector<std::byte> numbered_bytes(std::size_t count, int seed) {
  std::vector<std::byte> bytes(count);
  for (std::size_t i = 0; i < count; ++i) {
    bytes[i] = static_cast<std::byte>(i * 7 + i / 251 + static_cast<std::size_t>(seed));
  }
  return bytes;
}

TEST(Communicator, NamesRanksAndHosts) {
  const Communicator world = Communicator::world();
  EXPECT_GE(world.rank(), 0);
  EXPECT_LT(world.rank(), world.size());
  EXPECT_EQ(world.local_rank(), world.rank()) << "all ranks of this test share a node";
  const auto hosts = world.host_names();
  EXPECT_EQ(hosts.size(), static_cast<std::size_t>(world.size()));
  EXPECT_THAT(hosts, Each(Not(std::string())));
  EXPECT_THAT(MpiEnvironment::library_version(), Not(std::string()));
}

TEST(Communicator, BroadcastsTextsOfAnyLength) {
  const Communicator world = Communicator::world();
  for (const std::size_t length : {std::size_t{0}, std::size_t{5}, std::size_t{3000000}}) {
    std::string text(length, 'x');
    if (length > 0) {
      text.back() = '\0';
    }
    EXPECT_EQ(world.broadcast(world.rank() == 0 ? text : "of another rank"), text);
  }
}

TEST(Communicator, GathersOneTextPerRankInRankOrder) {
  const Communicator world = Communicator::world();
  const auto text_of = [](int rank) {
    return std::string(static_cast<std::size_t>(rank) * 100000, static_cast<char>('a' + rank));
  };
  const auto texts = world.all_gather(text_of(world.rank()));
  ASSERT_EQ(texts.size(), static_cast<std::size_t>(world.size()));
  for (int rank = 0; rank < world.size(); ++rank) {
    EXPECT_EQ(texts[static_cast<std::size_t>(rank)], text_of(rank));
  }
  EXPECT_THAT(world.all_gather(""), Each(std::string()));
}

TEST(Communicator, SumsAndMaximaCoverAllRanks) {
  const Communicator world = Communicator::world();
  const auto ranks = static_cast<std::uint64_t>(world.size());
  std::vector<std::uint64_t> values(1000);
  std::iota(values.begin(), values.end(), std::uint64_t{1} << 40U);
  world.all_reduce_sum(values);
  EXPECT_EQ(values[0], ranks << 40U);
  EXPECT_EQ(values[999], ((std::uint64_t{1} << 40U) + 999) * ranks);
  world.all_reduce_sum({});
  EXPECT_EQ(world.all_reduce_max(-5 - world.rank()), -5);
  EXPECT_EQ(world.all_reduce_max(world.rank()), world.size() - 1);
}

class PointToPoint : public ::testing::TestWithParam<std::pair<std::size_t, std::size_t>> {};

/// Sends round the ring, rank 0 first, so that blocking calls cannot wait for each other.
TEST_P(PointToPoint, ArrivesUnchangedInParts) {
  const Communicator world = Communicator::world();
  if (world.size() == 1) {
    GTEST_SKIP() << "needs two ranks";
  }
  const auto [count, part] = GetParam();
  const int next = (world.rank() + 1) % world.size();
  const int previous = (world.rank() + world.size() - 1) % world.size();
  std::vector<std::byte> received(count);
  if (world.rank() == 0) {
    world.send(next, 4, numbered_bytes(count, 0), part);
    world.receive(previous, 4, received, part);
  } else {
    world.receive(previous, 4, received, part);
    world.send(next, 4, numbered_bytes(count, world.rank()), part);
  }
  EXPECT_EQ(received, numbered_bytes(count, previous));
}

INSTANTIATE_TEST_SUITE_P(Sizes, PointToPoint,
                         ::testing::Values(std::pair{0UL, 8UL}, std::pair{1UL, 8UL},
                                           std::pair{16UL, 8UL}, std::pair{17UL, 8UL},
                                           std::pair{1000003UL, 65536UL},
                                           std::pair{5000000UL, kMessagePartBytes}));

TEST(Communicator, RefusesAMessageOfAnotherLength) {
  const Communicator own = Communicator::world().duplicate();
  if (own.size() == 1) {
    GTEST_SKIP() << "needs two ranks";
  }
  if (own.rank() == 0) {
    own.send(1, 1, numbered_bytes(12, 0));
  }
  if (own.rank() == 1) {
    std::vector<std::byte> bytes(10);
    try {
      own.receive(0, 1, bytes);
      ADD_FAILURE() << "did not throw";
    } catch (const MpiError& error) {
      EXPECT_THAT(error.what(), HasSubstr("12 bytes"));
      EXPECT_THAT(error.what(), HasSubstr("expected 10"));
    }
  }
}

TEST(Communicator, RefusesARankThatDoesNotExist) {
  const Communicator world = Communicator::world();
  EXPECT_THROW(world.send(world.size(), 1, {}), MpiError);
  EXPECT_THROW(world.receive(-1, 1, {}), MpiError);
}

TEST(Communicator, DuplicateHasAMessageSpaceOfItsOwn) {
  const Communicator world = Communicator::world();
  Communicator copy = world.duplicate();
  EXPECT_EQ(copy.rank(), world.rank());
  EXPECT_EQ(copy.size(), world.size());
  if (world.size() == 1) {
    return;
  }
  if (world.rank() == 0) {
    world.send(1, 9, numbered_bytes(3, 1));
    copy.send(1, 9, numbered_bytes(3, 2));
  } else if (world.rank() == 1) {
    std::vector<std::byte> bytes(3);
    copy.receive(0, 9, bytes);
    EXPECT_EQ(bytes, numbered_bytes(3, 2));
    world.receive(0, 9, bytes);
    EXPECT_EQ(bytes, numbered_bytes(3, 1));
  }
}

}  // namespace
}  // namespace btc
