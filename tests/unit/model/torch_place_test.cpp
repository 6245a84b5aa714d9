#include "model/torch_place.hpp"

#include <gmock/gmock.h>

#include "common/error.hpp"

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

}  // namespace
}  // namespace btc
