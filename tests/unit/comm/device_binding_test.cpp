#include "comm/device_binding.hpp"

#include <gmock/gmock.h>

#include "common/error.hpp"

namespace btc {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

std::string refusal(int device_count, const std::optional<std::string>& visible) {
  try {
    choose_device(0, device_count, visible);
  } catch (const BackendUnavailable& error) {
    return error.what();
  }
  return "none";
}

TEST(ChooseDevice, RanksOfANodeTakeDevicesInTurn) {
  EXPECT_EQ(choose_device(0, 4, std::nullopt), 0);
  EXPECT_EQ(choose_device(3, 4, std::nullopt), 3);
  EXPECT_EQ(choose_device(4, 4, std::nullopt), 0) << "more ranks than devices share them";
  EXPECT_EQ(choose_device(7, 3, "5,6,7"), 1) << "the count is that of the visible ones";
  EXPECT_EQ(choose_device(3, 1, "3"), 0) << "a launcher that shows each rank one device";
}

TEST(ChooseDevice, AnEmptyVariableIsNamedWithAWayOut) {
  const auto text = AllOf(HasSubstr("CUDA_VISIBLE_DEVICES is set and empty"), HasSubstr("unset"),
                          HasSubstr("choose the cpu backend"));
  EXPECT_THAT(refusal(0, ""), text);
  EXPECT_THAT(refusal(2, ""), text) << "whatever the runtime counts";
}

TEST(ChooseDevice, WithoutDeviceTheBackendHasTheLastWord) {
  EXPECT_EQ(choose_device(3, 0, std::nullopt), 0);
  EXPECT_EQ(choose_device(3, 0, "9"), 0);
}

TEST(DescribeDevices, HasALinePerRank) {
  const Communicator world = Communicator::world();
  const int local = world.local_rank();
  const auto lines = describe_devices(world, local, choose_device(local, 2, std::nullopt), 2);
  ASSERT_EQ(lines.size(), static_cast<std::size_t>(world.size()));
  for (int rank = 0; rank < world.size(); ++rank) {
    EXPECT_THAT(lines[static_cast<std::size_t>(rank)],
                AllOf(HasSubstr(concat("rank ", rank, " (")),
                      HasSubstr(concat("local rank ", rank, "): device ", rank % 2, " of 2"))));
  }
}

TEST(SharedDevice, NamesTheFirstTwoRanks) {
  EXPECT_EQ(shared_device({}), "");
  EXPECT_EQ(shared_device(std::vector<std::string>{"a 1", "a 2", "b 1"}), "");
  EXPECT_EQ(shared_device(std::vector<std::string>{"a 1", "a 2", "b 1", "a 2", "a 1"}),
            "ranks 1 and 3 share the device at a 2");
}

}  // namespace
}  // namespace btc
