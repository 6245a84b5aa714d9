#include "pipeline/codebooks.hpp"

#include <gmock/gmock.h>

#include <numeric>

#include "common/error.hpp"
#include "common/rng.hpp"
#include "quant/quantized_linear.hpp"

namespace btc {
namespace {

constexpr int kLength = 10;
constexpr std::size_t kBlocks = 7;

/// Sums by MPI, and says how often.
class CountingDevice final : public DeviceCommunicator {
 public:
  explicit CountingDevice(const Communicator& comm) : comm_(comm) {}
  [[nodiscard]] std::string description() const override { return "a test"; }
  void send(int /*to*/, const void* /*data*/, std::size_t /*bytes*/) override { ADD_FAILURE(); }
  void receive(int /*from*/, void* /*data*/, std::size_t /*bytes*/) override { ADD_FAILURE(); }
  void all_reduce_sum(std::span<std::uint64_t> values) override {
    sums.push_back(values.size());
    comm_.all_reduce_sum(values);
  }

  std::vector<std::size_t> sums;  ///< size of each

 private:
  const Communicator& comm_;
};

/// Two of a block, of a hundred patterns each, some of them in both.
std::vector<PatternHistogram> histograms_of(std::size_t block) {
  std::vector<PatternHistogram> histograms(2);
  for (std::size_t i = 0; i < histograms.size(); ++i) {
    Rng rng(2 * block + i);
    std::vector<std::uint64_t> counts(std::size_t{1} << kLength);
    for (int k = 0; k < 100; ++k) {
      counts.at(rng.below(counts.size() / 2)) += rng.below(std::uint64_t{1} << 40U) + 1;
    }
    histograms[i].vector_length = kLength;
    for (std::size_t pattern = 0; pattern < counts.size(); ++pattern) {
      if (counts[pattern] > 0) {
        histograms[i].patterns.push_back(static_cast<Pattern>(pattern));
        histograms[i].counts.push_back(counts[pattern]);
      }
    }
  }
  return histograms;
}

PatternHistogram expected_sum() {
  std::vector<PatternHistogram> all;
  for (std::size_t b = 0; b < kBlocks; ++b) {
    for (PatternHistogram& histogram : histograms_of(b)) {
      all.push_back(std::move(histogram));
    }
  }
  return merge_histograms(all);
}

void expect_same(const PatternHistogram& found, const PatternHistogram& expected) {
  EXPECT_EQ(found.vector_length, expected.vector_length);
  EXPECT_EQ(found.patterns, expected.patterns);
  EXPECT_EQ(found.counts, expected.counts);
}

TEST(SumHistograms, IsThatOfOneRank) {
  const Communicator world = Communicator::world();
  expect_same(sum_histograms(kBlocks, kLength, world, nullptr, histograms_of), expected_sum());
}

TEST(SumHistograms, GoesThroughTheDevicesWhereTheyAreToBeUsed) {
  const Communicator world = Communicator::world();
  CountingDevice device(world);
  expect_same(sum_histograms(kBlocks, kLength, world, &device, histograms_of), expected_sum());
  EXPECT_EQ(device.sums, std::vector<std::size_t>{std::size_t{1} << kLength});
}

TEST(SumHistograms, ABlockThatCannotBeReadFailsOnEveryRank) {
  const Communicator world = Communicator::world();
  CountingDevice device(world);
  const auto read = [](std::size_t block) {
    BTC_REQUIRE(FormatError, block != 0, "block 0 is damaged");
    return histograms_of(block);
  };
  EXPECT_THROW(sum_histograms(kBlocks, kLength, world, &device, read), StageFailed);
  EXPECT_TRUE(device.sums.empty());
}

}  // namespace
}  // namespace btc
