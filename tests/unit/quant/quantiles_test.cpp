#include "quant/quantiles.hpp"

#include <gmock/gmock.h>

#include <algorithm>

#include "common/rng.hpp"

namespace btc {
namespace {

using ::testing::ElementsAre;
using ::testing::FloatEq;

TEST(OrderStatistics, EqualASort) {
  Rng rng(4);
  std::vector<float> values(5000);
  for (float& x : values) {
    x = rng.below(10) == 0 ? 0.0F : static_cast<float>(rng.normal() * rng.normal());
    x = x < 0 ? -x : x;
  }
  std::vector<std::size_t> ranks = {0, 1, 499, 500, 2500, 4999, 17, 2500};
  const auto found = order_statistics(values, ranks);
  std::sort(values.begin(), values.end());
  for (std::size_t r = 0; r < ranks.size(); ++r) {
    EXPECT_EQ(found[r], values[ranks[r]]);
  }
}

TEST(Quantiles, InterpolateBetweenNeighbours) {
  const std::vector<float> values = {4, 0, 2, 8};
  const std::vector<float> levels = {0, 0.5F, 1, 0.9F};
  EXPECT_THAT(quantiles(values, levels), ElementsAre(0, 3, 8, FloatEq(6.8F)));
  EXPECT_THAT(quantiles(std::vector<float>{5}, levels), ElementsAre(5, 5, 5, 5));
}

}  // namespace
}  // namespace btc
