#include <gmock/gmock.h>

#include "common/bit_matrix.hpp"
#include "common/error.hpp"
#include "common/hash.hpp"
#include "common/ids.hpp"
#include "common/matrix.hpp"
#include "common/rng.hpp"

namespace btc {
namespace {

using ::testing::HasSubstr;

TEST(Error, RequireNamesItsParts) {
  try {
    BTC_REQUIRE(InputError, 1 > 2, "block ", 17, ": got ", 1.5);
    FAIL() << "did not throw";
  } catch (const UserError& error) {
    EXPECT_STREQ(error.what(), "block 17: got 1.5");
  }
}

TEST(Narrow, RefusesWhatDoesNotFit) {
  EXPECT_EQ(narrow<int>(std::size_t{7}), 7);
  EXPECT_THROW(narrow<std::uint8_t>(256), Error);
  EXPECT_THROW(narrow<std::uint32_t>(-1), Error);
}

TEST(Ids, NamesFollowHuggingFace) {
  EXPECT_EQ(linear_name(17, LinearKind::kQ), "model.layers.17.self_attn.q_proj");
  EXPECT_EQ(linear_name(3, LinearKind::kDown), "model.layers.3.mlp.down_proj");
  EXPECT_EQ(block_stem(17), "block-00017");
  EXPECT_EQ(input_of(LinearKind::kUp), SharedInput::kGateUp);
}

TEST(BitMatrix, PatternsReadPlusOneBehindTheRow) {
  BitMatrix bits(2, 10);
  bits.set(1, 8, true);
  EXPECT_EQ(bits.pattern(1, 8, 4), 0b1101U);
  bits.set_pattern(1, 8, 4, 0b0010U);
  EXPECT_FALSE(bits.get(1, 8));
  EXPECT_TRUE(bits.get(1, 9));
  EXPECT_EQ(bits.bytes()[3], 0b10U) << "pad bits stay 0";
}

TEST(BitMatrix, PatternsAreTheBitsFromAnyColumnOn) {
  BitMatrix bits(2, 45);
  Rng rng(1);
  for (std::size_t j = 0; j < bits.cols(); ++j) {
    bits.set(0, j, rng.below(2) == 1);
    bits.set(1, j, rng.below(2) == 1);
  }
  for (std::size_t begin = 0; begin < bits.cols() + 3; ++begin) {
    for (const int length : {kMinVectorLength, 16, 17, kMaxVectorLength}) {
      Pattern expected = 0;
      for (int b = 0; b < length; ++b) {
        const std::size_t j = begin + static_cast<std::size_t>(b);
        expected |= static_cast<Pattern>(j >= bits.cols() || bits.get(1, j)) << b;
      }
      ASSERT_EQ(bits.pattern(1, begin, length), expected) << begin << ", " << length;
    }
  }
}

TEST(Matrix, TakesAsManyValuesAsItHasElements) {
  const Matrix<int> matrix(2, 3, std::vector<int>{1, 2, 3, 4, 5, 6});
  EXPECT_EQ(matrix(1, 0), 4);
  EXPECT_THROW(Matrix<int>(2, 2, std::vector<int>{1, 2, 3}), Error);
}

TEST(Hash, Sha256OfAbc) {
  EXPECT_EQ(sha256_hex("abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  EXPECT_THROW(sha256_file("/nonexistent/file"), IoError);
}

TEST(Rng, SeedsDependOnEveryPart) {
  EXPECT_NE(derive_seed(1, "a", 0), derive_seed(1, "b", 0));
  EXPECT_NE(derive_seed(1, "a", 0), derive_seed(1, "a", 1));
  EXPECT_NE(derive_seed(1, "a", 0), derive_seed(2, "a", 0));
}

TEST(Rng, BelowStaysInRangeAndReachesEveryValue) {
  Rng rng(5);
  std::array<int, 3> seen{};
  for (int i = 0; i < 300; ++i) {
    ++seen.at(rng.below(3));
  }
  for (const int count : seen) {
    EXPECT_GT(count, 50);
  }
}

}  // namespace
}  // namespace btc
