#include <gmock/gmock.h>

#include "comm/device_communicator.hpp"
#include "common/error.hpp"

namespace btc {
namespace {

TEST(DeviceCommunicator, WithoutCudaEveryRankHearsWhy) {
  try {
    make_device_communicator(Communicator::world(), 0);
    FAIL() << "did not throw";
  } catch (const BackendUnavailable& error) {
    EXPECT_THAT(error.what(), ::testing::HasSubstr("BTC_WITH_CUDA"));
  }
}

}  // namespace
}  // namespace btc
