#include "pipeline/capture.hpp"

#include <cstring>
#include <span>

#include "common/error.hpp"
#include "cuda/comm/mpi_communicators.hpp"
#include "support/thrown_by.hpp"
#include "unit/pipeline/capture_case.hpp"

namespace btc {
namespace {

namespace fs = std::filesystem;

class Capture : public test::CaptureCase {
 protected:
  void SetUp() override { configure_torch(1); }  // NOLINT(readability-identifier-naming)
};

TEST_F(Capture, ThroughHostMemoryWritesWhatTheBlocksGiveOneAfterTheOther) {
  HostLink link(comm_);
  EXPECT_EQ(capture({}, link), units_.size());
  expect_blocks_one_after_the_other({});
}

/// Host memory that stands for a device.
class HostCopier {
 public:
  std::span<std::byte> buffer() { return buffer_; }
  void to_host(const std::byte* device, std::size_t bytes) {
    std::memcpy(buffer_.data(), device, bytes);
  }
  void to_device(std::byte* device, std::size_t bytes) {
    std::memcpy(device, buffer_.data(), bytes);
  }

 private:
  std::vector<std::byte> buffer_ = std::vector<std::byte>(100);
};

TEST_F(Capture, ThroughAStagedDeviceCommunicatorWritesTheSame) {
  cuda::StagedCommunicator<HostCopier> device(comm_.duplicate(), HostCopier(), "a test");
  DeviceLink link(device);
  EXPECT_EQ(capture({}, link), units_.size());
  expect_blocks_one_after_the_other({});
}

TEST_F(Capture, HandsEverySequenceOfAWaveToTheNextRankOnce) {
  std::size_t calls = 0;
  cuda::DirectCommunicator device(
      comm_.duplicate(), [&] { ++calls; }, "a test");
  DeviceLink link(device);
  capture({}, link);
  expect_blocks_one_after_the_other({});
  std::size_t expected = 0;
  for (int first = 1; first < kBlocks; first += comm_.size()) {
    const int last = std::min(comm_.size(), kBlocks - first) - 1;  // rank in this wave
    expected += comm_.rank() > 0 && comm_.rank() <= last ? kSequences : 0;
    expected += comm_.rank() < last ? kSequences : 0;
  }
  EXPECT_EQ(calls, expected);
}

TEST_F(Capture, GoesOnFromAFileInTheMiddle) {
  HostLink link(comm_);
  capture({}, link);
  comm_.barrier();
  if (comm_.rank() == 0) {
    fs::remove(units_[3].file);
    fs::remove(units_[4].file);
  }
  comm_.barrier();
  EXPECT_EQ(capture({}, link), 2U);
  expect_blocks_one_after_the_other({});
  EXPECT_EQ(capture({}, link), 0U);
}

TEST_F(Capture, NamesBlockAndValueThatIsNotFinite) {
  if (comm_.size() > 1) {
    GTEST_SKIP() << "the other ranks would have to be ended";
  }
  HostLink link(comm_);
  model_.broken_block = 1;
  EXPECT_THAT(test::thrown_by<Error>([&] { capture({}, link); }),
              ::testing::AllOf(::testing::HasSubstr("capture, block 1"),
                               ::testing::HasSubstr("sequence 0, token 0, column 0"),
                               ::testing::HasSubstr("is not finite")));
  EXPECT_TRUE(fs::exists(units_[1].file));
  EXPECT_FALSE(fs::exists(units_[2].file));
}

TEST_F(Capture, ADeviceWithoutACommunicatorIsRefusedWhereThereAreSeveralRanks) {
  if (comm_.size() == 1) {
    EXPECT_NE(make_hidden_link(comm_, nullptr, TorchPlace{0}), nullptr);
    return;
  }
  EXPECT_THROW(make_hidden_link(comm_, nullptr, TorchPlace{0}), Error);
  cuda::DirectCommunicator device(
      comm_.duplicate(), [] {}, "a test");
  EXPECT_NE(dynamic_cast<DeviceLink*>(make_hidden_link(comm_, &device, TorchPlace{0}).get()),
            nullptr);
  EXPECT_NE(dynamic_cast<HostLink*>(make_hidden_link(comm_, &device, {}).get()), nullptr)
      << "hidden states in host memory are not for a device communicator";
}

}  // namespace
}  // namespace btc
