#include "refine/sequence_order.hpp"

#include <gmock/gmock.h>

namespace btc {
namespace {

using ::testing::ElementsAre;
using ::testing::Pair;

TEST(SequenceOrder, StepsCoverEverySequenceOnce) {
  std::vector<std::pair<std::size_t, std::size_t>> batches;
  for_each_step(10, 4, 0, 1, [&](std::size_t first, std::size_t count, double /*share*/) {
    batches.emplace_back(first, count);
  });
  EXPECT_THAT(batches, ElementsAre(Pair(0, 4), Pair(4, 4), Pair(8, 2)));
}

TEST(SequenceOrder, TheRateFallsOverAllEpochs) {
  std::vector<double> shares;
  for (int epoch = 0; epoch < 2; ++epoch) {
    for_each_step(4, 2, epoch, 2, [&](std::size_t /*first*/, std::size_t /*count*/, double share) {
      shares.push_back(share);
    });
  }
  ASSERT_EQ(shares.size(), 4U);
  EXPECT_DOUBLE_EQ(shares[0], 1);
  EXPECT_DOUBLE_EQ(shares[2], 0.5);  // half of the steps are done
  EXPECT_LT(shares[3], shares[2]);
}

TEST(SequenceOrder, AShuffleKeepsTheSequences) {
  const std::vector<std::size_t> all = {3, 1, 4, 5, 9, 2, 6};
  EXPECT_THAT(shuffled(all, 7, 1), ::testing::UnorderedElementsAreArray(all));
  EXPECT_EQ(shuffled(all, 7, 1), shuffled(all, 7, 1));
  EXPECT_NE(shuffled(all, 7, 1), shuffled(all, 7, 2));
}

}  // namespace
}  // namespace btc
