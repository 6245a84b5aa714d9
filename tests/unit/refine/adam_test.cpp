#include "refine/adam.hpp"

#include <gmock/gmock.h>

#include "common/error.hpp"

namespace btc {
namespace {

TEST(Adam, FirstStepHasTheLengthOfTheRate) {
  std::vector<float> values = {1, 1, 1};
  AdamState state;
  adam_step(values, std::vector<float>{100, -0.01F, 0}, 0.25, state);
  EXPECT_NEAR(values[0], 0.75, 1e-5);
  EXPECT_NEAR(values[1], 1.25, 1e-5);
  EXPECT_EQ(values[2], 1);
  EXPECT_THROW(adam_step(values, std::vector<float>{1}, 0.1, state), Error);
}

// By hand: m = 0.1, v = 0.001 after the gradient 1; then m = 0.09 - 0.1, v = 0.000999 + 0.001.
TEST(Adam, SecondStepFollowsTheMoments) {
  std::vector<float> values = {0};
  AdamState state;
  adam_step(values, std::vector<float>{1}, 1, state);
  adam_step(values, std::vector<float>{-1}, 1, state);
  const double second = (-0.01 / 0.19) / 1.0;  // sqrt(0.001999 / 0.001999) = 1
  EXPECT_NEAR(values[0], -1 - second, 1e-5);
  EXPECT_EQ(state.steps, 2);
}

TEST(Adam, FindsAMinimum) {
  std::vector<float> values = {3, -2};
  AdamState state;
  for (int step = 0; step < 400; ++step) {
    adam_step(values, std::vector<float>{values[0] - 1, 50 * (values[1] - 0.5F)},
              0.1 * cosine_share(step, 400), state);
  }
  EXPECT_NEAR(values[0], 1, 1e-2);
  EXPECT_NEAR(values[1], 0.5, 1e-2);
}

TEST(CosineRate, FallsFromTheRateToZero) {
  EXPECT_EQ(cosine_share(0, 10), 1);
  EXPECT_NEAR(cosine_share(5, 10), 0.5, 1e-12);
  EXPECT_NEAR(cosine_share(10, 10), 0, 1e-12);
}

}  // namespace
}  // namespace btc
