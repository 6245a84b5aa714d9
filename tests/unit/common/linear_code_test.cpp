#include "common/linear_code.hpp"

#include <gtest/gtest.h>

#include <set>

namespace btc {
namespace {

/// XOR of the check columns under the +1 signs.
unsigned syndrome(Pattern pattern) {
  unsigned sum = 0;
  for (std::size_t b = 0; b < kLinearCodeLength; ++b) {
    sum ^= ((pattern >> b) & 1U) != 0 ? kLinearCodeColumns.at(b) : 0U;
  }
  return sum;
}

TEST(LinearCode, AnIndexIsTheFirstSixteenBits) {
  const std::vector<Pattern> words = linear_code_words();
  ASSERT_EQ(words.size(), 65536U);
  for (std::size_t i = 0; i < words.size(); ++i) {
    ASSERT_EQ(words[i] & 0xffffU, i);
    ASSERT_EQ(syndrome(words[i]), 0U) << i;
    ASSERT_LT(words[i], Pattern{1} << 20U);
  }
  EXPECT_EQ(words[1], 0x30001U) << "column 3 needs the parity bits of columns 1 and 2";
}

TEST(LinearCode, EveryPatternIsOneFlipFromACodeword) {
  const std::set<unsigned> columns(kLinearCodeColumns.begin(), kLinearCodeColumns.end());
  EXPECT_EQ(columns.size(), 15U) << "each syndrome but 0 is the column of some sign";
  EXPECT_FALSE(columns.contains(0));
}

}  // namespace
}  // namespace btc
