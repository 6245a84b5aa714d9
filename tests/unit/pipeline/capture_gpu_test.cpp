/// Hidden states that go from device to device, against blocks run one after the other on one.

#include <cstdlib>

#include "backend/backend.hpp"
#include "comm/device_binding.hpp"
#include "unit/pipeline/capture_case.hpp"

namespace btc {
namespace {

class CaptureOnDevice : public test::CaptureCase {
 protected:
  void SetUp() override {  // NOLINT(readability-identifier-naming)
    setenv("CUBLAS_WORKSPACE_CONFIG", ":4096:8", /*overwrite=*/0);
    configure_torch(1);
    const int devices = cuda_device_count();
    if (comm_.all_reduce_max(devices == 0 ? 1 : 0) != 0) {
      GTEST_SKIP() << "no CUDA device";
    }
    device_ = device_of_rank(comm_.local_rank(), devices);
    place_ = torch_place_of_rank(device_);
    ASSERT_EQ(place_, TorchPlace{device_});
  }

  int device_ = 0;
  TorchPlace place_;
};

TEST_F(CaptureOnDevice, WritesWhatTheBlocksGiveOneAfterTheOther) {
  const auto between = make_device_communicator(comm_, device_);
  if (comm_.rank() == 0) {
    RecordProperty("communicator", between->description());
  }
  const auto link = make_hidden_link(comm_, between.get(), place_);
  EXPECT_EQ(capture(place_, *link), units_.size());
  expect_blocks_one_after_the_other(place_);
}

TEST_F(CaptureOnDevice, HoldsWhatAnotherRankSent) {
  const auto between = make_device_communicator(comm_, device_);
  DeviceLink link(*between);
  constexpr std::size_t kWide = 2049;
  for (std::uint64_t s = 0; s < 3; ++s) {
    const Matrix<std::uint16_t> bits = test::random_bf16_bits(kTokens, kWide, s);
    HiddenStates hidden(kTokens, kWide, place_);
    if (comm_.rank() > 0) {
      link.receive(comm_.rank() - 1, hidden);
    } else {
      hidden = HiddenStates(bits.view(), place_);
    }
    if (comm_.rank() + 1 < comm_.size()) {
      link.send(comm_.rank() + 1, hidden);
    }
    Matrix<std::uint16_t> found(kTokens, kWide);
    hidden.copy_to(found.view());
    EXPECT_EQ(found, bits) << "sequence " << s;
  }
}

}  // namespace
}  // namespace btc
