#include "quant/uniform.hpp"

#include <gmock/gmock.h>

#include <cmath>

#include "common/half.hpp"
#include "quant/quantize_linear.hpp"
#include "support/backends.hpp"
#include "support/thrown_by.hpp"
#include "unit/quant/problems.hpp"

namespace btc {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

BinarizeParams settings_of(UniformRule rule, int bits, int panel = 128) {
  BinarizeParams params;
  params.uniform = rule;
  params.uniform_bits = bits;
  params.panel = panel;
  params.split_points = 0;
  params.salient = SalientRule::kNone;
  return params;
}

class Uniform : public test::BackendTest {
 protected:
  QuantizeResult run(const Matrix<float>& w, const HessianFactor& factor,
                     const BinarizeParams& params) {
    return quantize_linear(w.view(), factor, params, std::nullopt, nullptr, std::nullopt,
                           *backend_);
  }
};
BTC_FOR_ALL_BACKENDS(Uniform);

// Two bits, levels 0..3. Row 0: range -1..2, alpha 1, zero 1. Row 1: zeros. Row 2: range 0..6,
// alpha 2; 5 / 2 rounds away from 0. Row 3: range -3..0, zero 3.
TEST_P(Uniform, HandCheckedRows) {
  Matrix<float> w(4, 4);
  w.values() = {-1, 0, 2, 1, 0, 0, 0, 0, 1, 5, 6, 2, -3, -1, -2, -1};
  const auto factor = test::ar1_factor(4, 0.0, *backend_);
  const QuantizedLinear q = run(w, factor, settings_of(UniformRule::kRtn, 2)).linear;
  EXPECT_THAT(q.alpha.values(), ElementsAre(1, 0, 2, 1));
  EXPECT_THAT(q.zero.values(), ElementsAre(1, 0, 0, 3));
  EXPECT_THAT(q.level.values(), ElementsAre(0, 1, 3, 2, 0, 0, 0, 0, 1, 3, 3, 1, 0, 2, 1, 2));
  EXPECT_THAT(dequantize(q).values(),
              ElementsAre(-1, 0, 2, 1, 0, 0, 0, 0, 2, 6, 6, 2, -3, -1, -2, -1));
}

TEST_P(Uniform, MoreBitsAndCompensationLowerTheError) {
  const Matrix<float> w = test::normal_weights(12, 150, 3);
  const auto factor = test::ar1_factor(150, 0.9, *backend_);
  double before = 1;
  for (const int bits : {2, 3, 4, 8}) {
    const double rtn = run(w, factor, settings_of(UniformRule::kRtn, bits, 64)).relative_error;
    const double gptq = run(w, factor, settings_of(UniformRule::kGptq, bits, 64)).relative_error;
    EXPECT_LT(gptq, 0.7 * rtn) << bits;
    EXPECT_LT(rtn, 0.5 * before) << bits;
    before = rtn;
  }
}

/// GPTQ as it is written down: every column's error goes to all later columns at once.
std::vector<std::uint8_t> plain_gptq(const Matrix<float>& weight, const Matrix<float>& u, int bits,
                                     std::size_t panel) {
  const std::size_t m = weight.cols();
  std::vector<std::uint8_t> levels;
  const double highest = std::pow(2.0, bits) - 1;
  for (std::size_t i = 0; i < weight.rows(); ++i) {
    std::vector<double> w(weight.row(i).begin(), weight.row(i).end());
    double alpha = 0;
    double zero = 0;
    for (std::size_t j = 0; j < m; ++j) {
      if (j % panel == 0) {
        const auto end = w.begin() + static_cast<std::ptrdiff_t>(std::min(j + panel, m));
        const auto [low, high] =
            std::minmax_element(w.begin() + static_cast<std::ptrdiff_t>(j), end);
        const double least = std::min(*low, 0.0);
        alpha = static_cast<double>(
            round_to_fp16(static_cast<float>((std::max(*high, 0.0) - least) / highest)));
        zero = std::round(-least / alpha);
      }
      const double level = std::clamp(std::round(w[j] / alpha) + zero, 0.0, highest);
      levels.push_back(static_cast<std::uint8_t>(level));
      const double step = (w[j] - alpha * (level - zero)) / static_cast<double>(u(j, j));
      for (std::size_t l = j + 1; l < m; ++l) {
        w[l] -= step * static_cast<double>(u(j, l));
      }
    }
  }
  return levels;
}

TEST_P(Uniform, GptqIsGptq) {
  const Matrix<float> w = test::normal_weights(16, 100, 4);
  const auto factor = test::ar1_factor(100, 0.8, *backend_);
  const QuantizedLinear q = run(w, factor, settings_of(UniformRule::kGptq, 3, 32)).linear;
  const auto expected = plain_gptq(w, factor.u, 3, 32);
  std::size_t different = 0;
  for (std::size_t e = 0; e < expected.size(); ++e) {
    different += expected[e] != q.level.values()[e] ? 1U : 0U;
  }
  EXPECT_LE(different, expected.size() / 100) << "fp32 against fp64 moves a few borderline entries";
}

TEST_P(Uniform, RefusesWhatItDoesNotHave) {
  const Matrix<float> w = test::normal_weights(2, 8, 1);
  const auto factor = test::ar1_factor(8, 0.0, *backend_);
  BinarizeParams params = settings_of(UniformRule::kGptq, 3);
  params.split_points = 1;
  EXPECT_THAT(test::thrown_by<ConfigError>([&] { run(w, factor, params); }),
              HasSubstr("binarize.split_points: got 1, expected 0"));
  params = settings_of(UniformRule::kGptq, 9);
  EXPECT_THAT(test::thrown_by<ConfigError>([&] { run(w, factor, params); }),
              HasSubstr("expected 2..8"));
  Matrix<float> large = w;
  large(1, 3) = 1e6F;
  EXPECT_THAT(
      test::thrown_by<NumericError>([&] { run(large, factor, settings_of(UniformRule::kRtn, 3)); }),
      HasSubstr("to 1e+06 are too far apart for an fp16 scale"));
}

}  // namespace
}  // namespace btc
