#include <gmock/gmock.h>

#include "backend/backend.hpp"
#include "common/error.hpp"

namespace btc {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

TEST(CudaBackend, WithoutCudaNamesTheOptionAndAWayOut) {
  try {
    make_cuda_backend(3, 1);
    FAIL() << "did not throw";
  } catch (const BackendUnavailable& error) {
    EXPECT_THAT(error.what(),
                AllOf(HasSubstr("BTC_WITH_CUDA"), HasSubstr("choose the cpu backend")));
  }
}

TEST(CudaBackend, WithoutCudaThereIsNoDeviceAndTheDescriptionSaysWhy) {
  EXPECT_EQ(cuda_device_count(), 0);
  EXPECT_EQ(describe_cuda(),
            "backend cuda: not available: this program was built without CUDA (CMake option "
            "BTC_WITH_CUDA=OFF); choose the cpu backend\n");
}

TEST(Backend, HasNoRangesUnlessADeviceIsWatched) {
  EXPECT_EQ(make_reference_backend()->range("capture"), nullptr);
}

}  // namespace
}  // namespace btc
