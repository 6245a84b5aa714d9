#include "common/half.hpp"
#include "common/round_to_odd.hpp"

#include <gmock/gmock.h>

#include <cmath>
#include <limits>

namespace btc {
namespace {

TEST(Half, EveryFp16ValueSurvivesTheRoundTrip) {
  for (std::uint32_t bits = 0; bits < 0x10000U; ++bits) {
    const float value = fp16_to_float(static_cast<std::uint16_t>(bits));
    if (!std::isnan(value)) {
      EXPECT_EQ(float_to_fp16(value), bits) << value;
    }
  }
}

TEST(Half, Fp16RoundsToNearestEven) {
  EXPECT_EQ(float_to_fp16(1.0F + 0x1p-11F), 0x3c00);      // half way: to even, down
  EXPECT_EQ(float_to_fp16(1.0F + 3 * 0x1p-11F), 0x3c02);  // half way: to even, up
  EXPECT_EQ(float_to_fp16(1.0F + 0x1p-11F + 0x1p-20F), 0x3c01);
  EXPECT_EQ(float_to_fp16(65519.0F), 0x7bff);
  EXPECT_EQ(float_to_fp16(65520.0F), 0x7c00);
  EXPECT_EQ(float_to_fp16(0x1p-25F), 0x0000);  // half of the smallest: to even
  EXPECT_EQ(float_to_fp16(-0x1.8p-24F), 0x8002);
}

TEST(Half, RoundingClampsInsteadOfOverflowing) {
  EXPECT_EQ(round_to_fp16(1e9F), 65504.0F);
  EXPECT_EQ(round_to_fp16(-1e9F), -65504.0F);
}

TEST(Half, Bf16RoundsToNearestEvenAndKeepsNan) {
  EXPECT_EQ(float_to_bf16(1.0F + 0x1p-8F), 0x3f80);
  EXPECT_EQ(float_to_bf16(1.0F + 3 * 0x1p-8F), 0x3f82);
  EXPECT_EQ(bf16_to_float(0x3f80), 1.0F);
  EXPECT_TRUE(std::isnan(bf16_to_float(float_to_bf16(std::numeric_limits<float>::quiet_NaN()))));
}

TEST(RoundToOdd, RoundsToShorterFormatsAsTheValueItself) {
  // A little more than half way between two fp16 or bf16 values. The nearest fp32 is the tie, which
  // goes to even, down.
  const double half_fp16 = 1.0 + 0x1p-11 + 0x1p-40;
  EXPECT_EQ(float_to_fp16(static_cast<float>(half_fp16)), 0x3c00);
  EXPECT_EQ(float_to_fp16(round_to_odd(half_fp16)), 0x3c01);
  EXPECT_EQ(float_to_fp16(round_to_odd(-half_fp16)), 0xbc01);
  EXPECT_EQ(float_to_fp16(round_to_odd(1.0 + 3 * 0x1p-11 - 0x1p-40)), 0x3c01);
  EXPECT_EQ(float_to_bf16(round_to_odd(1.0 + 0x1p-8 + 0x1p-40)), 0x3f81);
  EXPECT_EQ(float_to_bf16(round_to_odd(1.0 + 0x1p-8)), 0x3f80);  // a tie it is
}

TEST(RoundToOdd, KeepsWhatFp32Holds) {
  for (const double value : {0.0, 1.5, -0x1p-149, 65504.0, 0x1.fffffep127}) {
    EXPECT_EQ(static_cast<double>(round_to_odd(value)), value);
  }
  EXPECT_TRUE(std::isinf(round_to_odd(1e300)));
}

}  // namespace
}  // namespace btc
