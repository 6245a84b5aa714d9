#include "common/int8_scales.hpp"

#include <gmock/gmock.h>

#include <vector>

#include "common/half.hpp"
#include "common/rng.hpp"

namespace btc {
namespace {

using ::testing::Each;
using ::testing::ElementsAre;

std::vector<float> rounded(std::vector<float> values) {
  round_to_int8(values);
  return values;
}

TEST(Int8Scales, UnitIsTheSmallestThatReachesAll) {
  EXPECT_EQ(int8_unit(std::vector<float>{-127.0F, 3.0F}), 1.0F);
  EXPECT_EQ(int8_unit(std::vector<float>{127.1F}), 2.0F);
  EXPECT_EQ(int8_unit(std::vector<float>{0.02F}), 0x1p-12F);
  EXPECT_EQ(int8_unit(std::vector<float>{0.0F}), 0x1p-24F);
  EXPECT_EQ(int8_unit(std::vector<float>{}), 0x1p-24F);
  EXPECT_EQ(int8_unit(std::vector<float>{1e6F}), 256.0F);
}

TEST(Int8Scales, RoundToNearestEven) {
  EXPECT_THAT(rounded({127.0F, 2.5F, 3.5F, -0.6F, 0.4F}),
              ElementsAre(127.0F, 2.0F, 4.0F, -1.0F, 0.0F));
  EXPECT_THAT(rounded({1e6F, -1e6F, 1.0F}), ElementsAre(127.0F * 256.0F, -127.0F * 256.0F, 0.0F));
}

TEST(Int8Scales, RoundedValuesStayWhatTheyAreAndAreHalves) {
  Rng rng(5);
  for (int exponent = -30; exponent <= 20; ++exponent) {
    std::vector<float> values(300);
    for (float& value : values) {
      value = std::ldexp(static_cast<float>(rng.normal()), exponent);
    }
    const std::vector<float> once = rounded(values);
    EXPECT_EQ(rounded(once), once) << exponent;
    for (const float value : once) {
      EXPECT_EQ(round_to_fp16(value), value) << exponent;
    }
  }
  EXPECT_THAT(rounded(std::vector<float>(3, 63.6F)), Each(64.0F));
}

}  // namespace
}  // namespace btc
