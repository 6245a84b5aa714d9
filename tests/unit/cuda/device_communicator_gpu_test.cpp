#include "comm/device_communicator.hpp"

#include <cuda_runtime.h>
#include <gmock/gmock.h>

#include <vector>

#include "backend/backend.hpp"
#include "comm/device_binding.hpp"
#include "common/error.hpp"

namespace btc {
namespace {

using ::testing::AnyOf;
using ::testing::StartsWith;

/// More than one part of the staging buffer, and of the counts that are on the device at once.
constexpr std::size_t kCount = 5'000'003;

/// `count` words on the current device.
class DeviceWords {
 public:
  explicit DeviceWords(const std::vector<std::uint64_t>& values) : size_(values.size()) {
    EXPECT_EQ(cudaMalloc(&data_, bytes()), cudaSuccess);
    EXPECT_EQ(cudaMemcpy(data_, values.data(), bytes(), cudaMemcpyHostToDevice), cudaSuccess);
  }
  ~DeviceWords() { cudaFree(data_); }
  DeviceWords(const DeviceWords&) = delete;
  DeviceWords& operator=(const DeviceWords&) = delete;
  [[nodiscard]] std::uint64_t* data() const { return static_cast<std::uint64_t*>(data_); }
  [[nodiscard]] std::size_t bytes() const { return size_ * sizeof(std::uint64_t); }
  [[nodiscard]] std::vector<std::uint64_t> values() const {
    std::vector<std::uint64_t> result(size_);
    EXPECT_EQ(cudaMemcpy(result.data(), data_, bytes(), cudaMemcpyDeviceToHost), cudaSuccess);
    return result;
  }

 private:
  std::size_t size_;
  void* data_ = nullptr;
};

std::vector<std::uint64_t> numbered(std::uint64_t factor, std::uint64_t offset) {
  std::vector<std::uint64_t> values(kCount);
  for (std::size_t i = 0; i < kCount; ++i) {
    values[i] = (std::uint64_t{1} << 36U) + factor * i + offset;
  }
  return values;
}

class DeviceCommunicatorGpu : public ::testing::Test {
 protected:
  void SetUp() override {  // NOLINT(readability-identifier-naming)
    const int devices = cuda_device_count();
    if (world_.all_reduce_max(devices == 0 ? 1 : 0) != 0) {
      GTEST_SKIP() << "no CUDA device";
    }
    device_ = device_of_rank(world_.local_rank(), devices);
    ASSERT_EQ(cudaSetDevice(device_), cudaSuccess);
    shared_ = world_.size() > devices;
  }

  const Communicator world_ = Communicator::world();
  int device_ = 0;
  bool shared_ = false;
};

TEST_F(DeviceCommunicatorGpu, IsNcclOnlyWhereEveryRankHasItsDevice) {
  const auto device = make_device_communicator(world_, device_);
  const std::string text = device->description();
  if (world_.rank() == 0) {
    RecordProperty("communicator", text);
  }
  if (shared_) {
    EXPECT_THAT(text, StartsWith("MPI "));
    EXPECT_THAT(text, ::testing::HasSubstr("share the device"));
  } else {
    EXPECT_THAT(text, AnyOf(StartsWith("NCCL "), ::testing::HasSubstr("built without NCCL")));
  }
}

TEST_F(DeviceCommunicatorGpu, SumsOverAllRanks) {
  const auto device = make_device_communicator(world_, device_);
  std::vector<std::uint64_t> counts = numbered(3, static_cast<std::uint64_t>(world_.rank()));
  device->all_reduce_sum(counts);
  const auto ranks = static_cast<std::uint64_t>(world_.size());
  std::vector<std::uint64_t> expected = numbered(3, 0);
  for (std::uint64_t& value : expected) {
    value = value * ranks + ranks * (ranks - 1) / 2;
  }
  EXPECT_EQ(counts, expected);
  device->all_reduce_sum({});
}

TEST_F(DeviceCommunicatorGpu, StreamsToTheNextRank) {
  const auto device = make_device_communicator(world_, device_);
  for (std::uint64_t s = 0; s < 3; ++s) {
    const DeviceWords words(numbered(world_.rank() == 0 ? 7 : 0, s));
    if (world_.rank() > 0) {
      device->receive(world_.rank() - 1, words.data(), words.bytes());
    }
    if (world_.rank() + 1 < world_.size()) {
      device->send(world_.rank() + 1, words.data(), words.bytes());
    }
    EXPECT_EQ(words.values(), numbered(7, s));
  }
}

}  // namespace
}  // namespace btc
