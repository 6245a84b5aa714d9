#include "cuda/comm/mpi_communicators.hpp"

#include <gmock/gmock.h>

#include <cstring>
#include <iterator>
#include <numeric>
#include <vector>

namespace btc::cuda {
namespace {

constexpr std::size_t kBufferBytes = 24;

/// Host memory that stands for a device; counts what passes.
class FakeCopier {
 public:
  explicit FakeCopier(std::size_t* copied) : copied_(copied), words_(kBufferBytes / 8) {}
  std::span<std::byte> buffer() { return std::as_writable_bytes(std::span(words_)); }
  void to_host(const std::byte* device, std::size_t bytes) {
    std::memcpy(buffer().first(bytes).data(), device, bytes);
    *copied_ += bytes;
  }
  void to_device(std::byte* device, std::size_t bytes) {
    std::memcpy(device, buffer().first(bytes).data(), bytes);
    *copied_ += bytes;
  }

 private:
  std::size_t* copied_;
  std::vector<std::uint64_t> words_;
};

std::vector<float> states(std::size_t count, int seed) {
  std::vector<float> values(count);
  for (std::size_t i = 0; i < count; ++i) {
    values[i] = static_cast<float>(i) + 1000.0F * static_cast<float>(seed);
  }
  return values;
}

/// Streams from rank to rank as capture does; every rank adds its number.
void stream_through(DeviceCommunicator& device, const Communicator& world, std::size_t count) {
  std::vector<float> values = states(count, 0);
  if (world.rank() > 0) {
    values.assign(count, -1.0F);
    device.receive(world.rank() - 1, values.data(), count * sizeof(float));
    EXPECT_EQ(values, states(count, world.rank()));
  }
  values = states(count, world.rank() + 1);
  if (world.rank() + 1 < world.size()) {
    device.send(world.rank() + 1, values.data(), count * sizeof(float));
  }
}

void check_sum(DeviceCommunicator& device, const Communicator& world, std::size_t count) {
  const auto ranks = static_cast<std::uint64_t>(world.size());
  std::vector<std::uint64_t> values(count);
  std::vector<std::uint64_t> expected(count);
  for (std::size_t i = 0; i < count; ++i) {
    values[i] = (std::uint64_t{1} << 40U) * i + static_cast<std::uint64_t>(world.rank());
    expected[i] = (std::uint64_t{1} << 40U) * i * ranks + ranks * (ranks - 1) / 2;
  }
  device.all_reduce_sum(values);
  EXPECT_EQ(values, expected);
}

/// Sizes around the six floats of the buffer.
constexpr std::size_t kCounts[] = {0, 1, 2, 3, 5, 6, 7, 12, 13, 100};

/// Ranks that this one receives from, and sends to.
std::size_t neighbours(const Communicator& world) {
  return (world.rank() > 0 ? 1U : 0U) + (world.rank() + 1 < world.size() ? 1U : 0U);
}

TEST(StagedCommunicator, MessagesPassInPartsAndSumsAsTheyAre) {
  const Communicator world = Communicator::world();
  std::size_t copied = 0;
  StagedCommunicator<FakeCopier> device(world.duplicate(), FakeCopier(&copied), "a test");
  for (const std::size_t count : kCounts) {
    stream_through(device, world, count);
    check_sum(device, world, count);
  }
  constexpr std::size_t kSent =
      std::accumulate(std::begin(kCounts), std::end(kCounts), std::size_t{0});
  EXPECT_EQ(copied, neighbours(world) * kSent * sizeof(float));
  EXPECT_EQ(device.description(), "MPI through pinned host memory: a test");
}

TEST(StagedCommunicator, MessagesOfOneRankStayInOrder) {
  const Communicator world = Communicator::world();
  std::size_t copied = 0;
  StagedCommunicator<FakeCopier> device(world.duplicate(), FakeCopier(&copied), "a test");
  for (int s = 0; s < 5; ++s) {
    std::vector<float> values = states(20, s);
    if (world.rank() > 0) {
      device.receive(world.rank() - 1, values.data(), 80);
      EXPECT_EQ(values, states(20, s));
    }
    if (world.rank() + 1 < world.size()) {
      device.send(world.rank() + 1, values.data(), 80);
    }
  }
}

TEST(StagedCommunicator, AMessageOfAnotherLengthIsRefused) {
  const Communicator world = Communicator::world();
  if (world.size() == 1) {
    GTEST_SKIP() << "needs two ranks";
  }
  std::size_t copied = 0;
  StagedCommunicator<FakeCopier> device(world.duplicate(), FakeCopier(&copied), "a test");
  std::vector<std::byte> bytes(12);
  if (world.rank() == 0) {
    device.send(1, bytes.data(), 12);
  } else if (world.rank() == 1) {
    EXPECT_THROW(device.receive(0, bytes.data(), 10), MpiError);
  }
}

TEST(DirectCommunicator, MessagesAndSumsPassAsTheyAre) {
  const Communicator world = Communicator::world();
  std::size_t made_current = 0;
  DirectCommunicator device(
      world.duplicate(), [&] { ++made_current; }, "a test");
  for (const std::size_t count : kCounts) {
    stream_through(device, world, count);
    check_sum(device, world, count);
  }
  EXPECT_EQ(made_current, neighbours(world) * std::size(kCounts));
  EXPECT_EQ(device.description(), "MPI from device memory: a test");
}

}  // namespace
}  // namespace btc::cuda
