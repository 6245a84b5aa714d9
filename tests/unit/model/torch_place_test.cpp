#include "model/torch_place.hpp"

#include <gmock/gmock.h>

#include <atomic>
#include <chrono>
#include <thread>
#include <vector>

#include "common/error.hpp"
#include "model/block_forward.hpp"

namespace btc {
namespace {

TEST(TorchPlaceTest, IsTheCpuUnlessADeviceIsNamed) {
  EXPECT_FALSE(TorchPlace{}.on_device());
  EXPECT_EQ(describe(TorchPlace{}), "the CPU");
  EXPECT_TRUE(TorchPlace{0}.on_device());
  EXPECT_EQ(describe(TorchPlace{3}), "CUDA device 3");
}

TEST(TorchPlaceTest, OfARankIsTheCpuWhereLibTorchHasNoCudaHalf) {
  if (torch_has_cuda()) {
    GTEST_SKIP() << "built with BTC_TORCH_CUDA";
  }
  EXPECT_EQ(torch_device_count(), 0);
  EXPECT_FALSE(torch_place_of_rank(5).on_device());
  release_kept_memory({});
}

TEST(TorchPlaceTest, OfARankIsADeviceOrAnErrorWhereItHasOne) {
  if (!torch_has_cuda()) {
    GTEST_SKIP() << "built without BTC_TORCH_CUDA";
  }
  const int devices = torch_device_count();
  if (devices == 0) {
    EXPECT_THROW((void)torch_place_of_rank(0), BackendUnavailable);
    return;
  }
  EXPECT_EQ(torch_place_of_rank(devices + 1).device, 1 % devices);
}

std::size_t small(std::size_t /*item*/) { return kSmallTensor; }

TEST(ShareOutTest, CallsEveryItemOnce) {
  for (const int threads : {1, 2, 3, 7}) {
    configure_torch(threads);
    std::vector<int> calls(5);
    share_out({}, calls.size(), small, [&](std::size_t item) { ++calls[item]; });
    EXPECT_THAT(calls, ::testing::Each(1)) << threads << " threads";
  }
  share_out({}, 0, small, [](std::size_t) { FAIL() << "no item"; });
}

TEST(ShareOutTest, RunsSmallItemsSideBySide) {
  using std::chrono::steady_clock;
  configure_torch(2);
  std::atomic<int> begun = 0;
  std::vector<std::thread::id> ran_on(2);
  share_out({}, ran_on.size(), small, [&](std::size_t item) {
    ran_on[item] = std::this_thread::get_id();
    ++begun;
    const auto give_up = steady_clock::now() + std::chrono::seconds(60);
    while (begun < 2 && steady_clock::now() < give_up) {
      std::this_thread::yield();
    }
  });
  EXPECT_NE(ran_on[0], ran_on[1]);
}

TEST(ShareOutTest, RunsLargeItemsFirstOneAfterTheOther) {
  configure_torch(2);
  const auto entries = [](std::size_t item) { return kSmallTensor + item % 2; };
  std::vector<std::size_t> large;
  std::atomic<std::size_t> small_items = 0;
  share_out({}, 6, entries, [&](std::size_t item) {
    if (item % 2 == 0) {
      ++small_items;
      return;
    }
    EXPECT_EQ(small_items, 0U);
    large.push_back(item);
  });
  EXPECT_THAT(large, ::testing::ElementsAre(1, 3, 5));
  EXPECT_EQ(small_items, 3U);
}

TEST(ShareOutTest, RunsItemsInOrderOnADevice) {
  std::vector<std::size_t> order;
  share_out({0}, 3, small, [&](std::size_t item) { order.push_back(item); });
  EXPECT_THAT(order, ::testing::ElementsAre(0, 1, 2));
}

}  // namespace
}  // namespace btc
