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

}  // namespace
}  // namespace btc
