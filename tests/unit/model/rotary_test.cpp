#include "model/rotary.hpp"

#include <gmock/gmock.h>

#include <cmath>

namespace btc {
namespace {

ModelConfig config_of(std::size_t head_dim, double theta) {
  ModelConfig config;
  config.head_dim = head_dim;
  config.rope_theta = theta;
  return config;
}

TEST(Rotary, FrequenciesFallGeometrically) {
  const std::vector<float> f = rotary_frequencies(config_of(8, 10000));
  ASSERT_EQ(f.size(), 4U);
  EXPECT_EQ(f[0], 1.0F);
  EXPECT_FLOAT_EQ(f[1], 0.1F);
  EXPECT_FLOAT_EQ(f[2], 0.01F);
  EXPECT_FLOAT_EQ(f[3], 0.001F);
}

TEST(Rotary, Llama3KeepsShortWavesDividesLongOnesAndBlendsBetween) {
  ModelConfig config = config_of(8, 10000);
  config.llama3_rope = Llama3Rope{8, 1, 4, 1000};
  const std::vector<float> f = rotary_frequencies(config);
  EXPECT_EQ(f[0], 1.0F);                                     // wave length 6.3 < 1000 / 4
  EXPECT_FLOAT_EQ(f[1], 0.1F);                               // 63 < 250
  EXPECT_FLOAT_EQ(f[3], 0.000125F);                          // 6283 > 1000
  const double smooth = (1000 * 0.01 / (2 * M_PI) - 1) / 3;  // 628 lies between
  EXPECT_FLOAT_EQ(f[2], static_cast<float>((1 - smooth) * 0.00125 + smooth * 0.01));
}

TEST(Rotary, TheTableHoldsCosineAndSineOfEachPosition) {
  const RotaryTable table = rotary_table(config_of(4, 100), 3);
  EXPECT_EQ(table.cosine(0, 1), 1.0F);
  EXPECT_EQ(table.sine(0, 0), 0.0F);
  EXPECT_FLOAT_EQ(table.cosine(2, 0), std::cos(2.0F));
  EXPECT_FLOAT_EQ(table.sine(2, 1), std::sin(0.2F));
}

}  // namespace
}  // namespace btc
