/// The device's weighted codeword search, on the host, against the reference.
#include <gmock/gmock.h>

#include <functional>
#include <memory>

#include "backend/backend.hpp"
#include "backend/check_input.hpp"
#include "common/rng.hpp"
#include "cuda/kmeans/weighted_search.hpp"
#include "support/host_team.hpp"

namespace btc::cuda {
namespace {

using DrawCost = std::function<std::int32_t(Rng&)>;

std::vector<Pattern> random_patterns(int v, std::size_t n, Rng& rng) {
  std::vector<Pattern> patterns(n);
  for (auto& pattern : patterns) {
    pattern = static_cast<Pattern>(rng.below(std::uint64_t{1} << v));
  }
  return patterns;
}

/// Exactly the memory that a table needs, so that a sanitizer sees what is beyond it.
std::vector<std::uint32_t> searched(const std::vector<Pattern>& codewords,
                                    const std::vector<Pattern>& own,
                                    const Matrix<std::int32_t>& costs, int size) {
  const auto entries = static_cast<std::size_t>(flip_table_entries(static_cast<int>(costs.cols())));
  const auto tables = std::make_unique<FlipCosts[]>(entries);
  WeightedScratch scratch;
  std::vector<std::uint32_t> index(own.size());
  const WeightedQuery query{codewords, own, costs.view(), index.data()};
  test::run_team(size, [&](const test::HostTeam& team) {
    for (std::size_t first = 0; first < own.size(); first += kFlipLanes) {
      search_weighted(team, query, first, tables.get(), scratch);
    }
  });
  return index;
}

void expect_reference(const std::vector<Pattern>& codewords, int v, std::size_t n,
                      const DrawCost& draw, int size, Rng& rng) {
  const std::vector<Pattern> own = random_patterns(v, n, rng);
  Matrix<std::int32_t> costs(n, static_cast<std::size_t>(v));
  for (auto& cost : costs.values()) {
    cost = draw(rng);
  }
  std::vector<std::uint32_t> expected(n);
  make_reference_backend()
      ->open_codewords(codewords, v)
      ->nearest_weighted(own, costs.view(), expected);
  EXPECT_EQ(searched(codewords, own, costs, size), expected) << "v " << v << ", team " << size;
}

std::int32_t any_cost(Rng& rng) { return static_cast<std::int32_t>(rng.below(1000000)); }
std::int32_t coin(Rng& rng) { return static_cast<std::int32_t>(rng.below(2)); }
std::int32_t dearest(Rng& /*rng*/) { return kMaxFlipCost; }

TEST(WeightedScan, TablesHoldWholeBytesAndTheRest) {
  EXPECT_EQ(flip_table_entries(4), 16);
  EXPECT_EQ(flip_table_entries(8), 256);
  EXPECT_EQ(flip_table_entries(13), 256 + 32);
  EXPECT_EQ(flip_table_entries(20), 512 + 16);
  EXPECT_EQ(flip_table_entries(24), 768);
}

TEST(WeightedScan, IndicesAreTheReferencesForEveryVectorLength) {
  for (int v = kMinVectorLength; v <= kMaxVectorLength; ++v) {
    Rng rng(derive_seed(1, "scan", static_cast<std::uint64_t>(v)));
    const std::vector<Pattern> codewords = random_patterns(v, 200 + rng.below(400), rng);
    expect_reference(codewords, v, 1 + rng.below(20), any_cost, 32, rng);
    expect_reference(codewords, v, 11, any_cost, 1, rng);
    expect_reference(codewords, v, 8, coin, 32, rng);
  }
}

// Around the steps of four codewords per member, and with members that meet none.
TEST(WeightedScan, NumberOfCodewordsMayBeAny) {
  Rng rng(2);
  for (const std::size_t count : {1U, 2U, 31U, 32U, 33U, 127U, 128U, 129U, 255U, 256U, 257U}) {
    expect_reference(random_patterns(16, count, rng), 16, 9, coin, 32, rng);
    expect_reference(random_patterns(5, count, rng), 5, 3, any_cost, 64, rng);
  }
}

TEST(WeightedScan, LowestOfEqualCodewordsWins) {
  Rng rng(3);
  std::vector<Pattern> codewords = random_patterns(12, 150, rng);
  codewords.insert(codewords.end(), codewords.begin(), codewords.end());
  expect_reference(codewords, 12, 17, any_cost, 32, rng);
  expect_reference(codewords, 12, 16, coin, 32, rng);
  expect_reference(
      codewords, 12, 1, [](Rng&) { return 0; }, 32, rng);
}

// 24 flips at 2^26 each are 1.6e9.
TEST(WeightedScan, DearestFlipsDoNotOverflow) {
  Rng rng(4);
  expect_reference(random_patterns(24, 70, rng), 24, 10, dearest, 32, rng);
  Matrix<std::int32_t> costs(1, 24, kMaxFlipCost);
  EXPECT_THAT(searched({0xFFFFFF, 0xFFFFFE}, {0}, costs, 32), ::testing::ElementsAre(1));
  EXPECT_THAT(searched({0xFFFFFF}, {0}, costs, 32), ::testing::ElementsAre(0));
}

}  // namespace
}  // namespace btc::cuda
