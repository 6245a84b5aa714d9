#include "generate/sampler.hpp"

#include <gmock/gmock.h>

#include <cmath>
#include <limits>
#include <map>
#include <vector>

#include "common/error.hpp"

namespace btc {
namespace {

/// How often each id is drawn.
std::map<std::int32_t, double> shares(const std::vector<float>& logits,
                                      const SamplingParams& params) {
  constexpr int kDraws = 40000;
  Rng rng(5);
  std::map<std::int32_t, double> counts;
  for (int i = 0; i < kDraws; ++i) {
    counts[choose_token(logits, params, rng)] += 1.0 / kDraws;
  }
  return counts;
}

TEST(ChooseToken, IsGreedyAtTemperatureZeroAndTakesTheLowestOnTies) {
  Rng rng(1);
  EXPECT_EQ(choose_token(std::vector<float>{0, 3, 1, 3}, {0, 1}, rng), 1);
  EXPECT_EQ(choose_token(std::vector<float>{-5, -7}, {0, 0.1}, rng), 0);
  EXPECT_EQ(Rng(1).next(), rng.next()) << "no random number is used";
}

TEST(ChooseToken, FollowsTheSoftmaxAtATemperature) {
  const std::vector<float> logits = {0.0F, static_cast<float>(std::log(3.0))};
  EXPECT_NEAR(shares(logits, {1, 1})[1], 0.75, 0.01);
  EXPECT_NEAR(shares(logits, {0.5, 1})[1], 0.9, 0.01);  // 9 : 1
  EXPECT_NEAR(shares(logits, {1e-6, 1})[1], 1, 1e-9);   // all but greedy
  EXPECT_NEAR(shares(logits, {1e9, 1})[1], 0.5, 0.01);  // all but uniform
}

TEST(ChooseToken, KeepsTheLikeliestUpToTopPAndTheOneThatCrossesIt) {
  // Shares 0.5, 0.3, 0.2.
  const std::vector<float> logits = {static_cast<float>(std::log(0.2)),
                                     static_cast<float>(std::log(0.5)),
                                     static_cast<float>(std::log(0.3))};
  const auto two = shares(logits, {1, 0.6});
  EXPECT_EQ(two.count(0), 0U);
  EXPECT_NEAR(two.at(1), 0.625, 0.01);
  EXPECT_NEAR(two.at(2), 0.375, 0.01);
  EXPECT_EQ(shares(logits, {1, 0.49}).size(), 1U);
  EXPECT_EQ(shares(logits, {1, 1e-300}).size(), 1U) << "at least one is left";
  EXPECT_EQ(shares(logits, {1, 1}).size(), 3U);
  EXPECT_EQ(shares(logits, {1, 0.999999}).size(), 3U);
}

TEST(ChooseToken, BreaksTiesOfTopPByTheLowerId) {
  const auto drawn = shares({1, 1, 1, 1}, {1, 0.5});
  EXPECT_EQ(drawn.size(), 2U);
  EXPECT_EQ(drawn.count(0) + drawn.count(1), 2U);
}

TEST(ChooseToken, SurvivesHugeLogits) {
  EXPECT_EQ(shares({3e38F, -3e38F, 0}, {1e-3, 1}).size(), 1U);
  EXPECT_NEAR(shares({1e30F, 1e30F}, {1, 1})[0], 0.5, 0.01);
}

TEST(ChooseToken, IsReproducible) {
  const std::vector<float> logits = {0, 1, 2, 1, 0};
  std::vector<std::int32_t> first;
  std::vector<std::int32_t> second;
  for (auto* ids : {&first, &second}) {
    Rng rng(9);
    for (int i = 0; i < 50; ++i) {
      ids->push_back(choose_token(logits, {1, 0.9}, rng));
    }
  }
  EXPECT_EQ(first, second);
}

TEST(ChooseToken, RefusesLogitsThatAreNotFinite) {
  Rng rng(1);
  for (const float bad : {std::nanf(""), std::numeric_limits<float>::infinity()}) {
    EXPECT_THROW(static_cast<void>(choose_token(std::vector<float>{0, bad}, {0, 1}, rng)),
                 NumericError);
    EXPECT_THROW(static_cast<void>(choose_token(std::vector<float>{0, bad}, {1, 0.5}, rng)),
                 NumericError);
  }
}

TEST(SamplingParams, AreChecked) {
  check({0, 1});
  check({2, 0.001});
  for (const SamplingParams& bad :
       {SamplingParams{-0.1, 1}, SamplingParams{std::nan(""), 1}, SamplingParams{1, 0},
        SamplingParams{1, 1.01}, SamplingParams{1, std::nan("")}}) {
    EXPECT_THROW(check(bad), ConfigError);
  }
}

}  // namespace
}  // namespace btc
