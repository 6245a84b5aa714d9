#include "backend/cpu/nearest_table.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <bit>
#include <vector>

#include "common/rng.hpp"

namespace btc {
namespace {

struct Nearest {
  std::uint32_t label = 0;
  std::uint32_t distance = 99;
};

Nearest by_hand(Pattern pattern, const std::vector<Pattern>& codewords) {
  Nearest best;
  for (std::uint32_t k = 0; k < codewords.size(); ++k) {
    const auto distance = static_cast<std::uint32_t>(std::popcount(pattern ^ codewords[k]));
    if (distance < best.distance) {
      best = {k, distance};
    }
  }
  return best;
}

void expect_exact(int v, std::size_t c, std::size_t step, int threads) {
  Rng rng(derive_seed(1, "table", static_cast<std::uint64_t>(v)));
  std::vector<Pattern> codewords(c);
  for (auto& codeword : codewords) {
    codeword = static_cast<Pattern>(rng.below(std::uint64_t{1} << v));
  }
  NearestTable table;
  table.build(codewords, v, Workers(threads));
  for (std::size_t p = rng.below(step); p < std::size_t{1} << v; p += step) {
    const auto pattern = static_cast<Pattern>(p);
    const Nearest expected = by_hand(pattern, codewords);
    ASSERT_EQ(table.label(pattern), expected.label) << "v " << v << " c " << c << " pattern " << p;
    ASSERT_EQ(table.distance(pattern), expected.distance) << "v " << v << " pattern " << p;
    ASSERT_EQ(nearest_by_scan(pattern, codewords), expected.label) << "pattern " << p;
  }
}

TEST(NearestTable, EveryPatternOfShortVectorsIsExact) {
  for (int v = kMinVectorLength; v <= 13; ++v) {
    for (const std::size_t c : {1U, 2U, 37U, 300U}) {
      expect_exact(v, c, 1, 1);
    }
  }
}

TEST(NearestTable, SampledPatternsOfLongVectorsAreExact) {
  for (int v = 14; v <= kMaxVectorLength; ++v) {
    expect_exact(v, 500, (std::size_t{1} << v) / 400 + 1, v % 3 + 1);
  }
}

// One codeword: the farthest pattern is all v steps away, across every kind of pass.
TEST(NearestTable, FarthestPatternIsVStepsAway) {
  for (const int v : {4, 5, 16, 17, 18, 21, 24}) {
    NearestTable table;
    table.build(std::vector<Pattern>{0}, v, Workers(2));
    EXPECT_EQ(table.distance((Pattern{1} << v) - 1), static_cast<std::uint32_t>(v));
  }
}

}  // namespace
}  // namespace btc
