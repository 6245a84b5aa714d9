#include "quant/given.hpp"

#include <algorithm>
#include <cmath>

#include "common/error.hpp"
#include "common/half.hpp"

namespace btc {

GivenScales given_scales(MatrixView<const float> w) {
  GivenScales scales;
  for (std::size_t j = 0; j < w.cols(); ++j) {
    float low = w(0, j);
    float high = w(0, j);
    for (std::size_t i = 0; i < w.rows(); ++i) {
      low = std::min(low, w(i, j));
      high = std::max(high, w(i, j));
    }
    for (std::size_t i = 0; i < w.rows(); ++i) {
      BTC_REQUIRE(NumericError, w(i, j) == low || w(i, j) == high, "column ", j, " has the values ",
                  low, ", ", w(i, j), " and ", high,
                  ", expected at most two: binarize.scales: given is for weights that are binary");
    }
    const float alpha = (high - low) / 2.0F;
    const float mu = (high + low) / 2.0F;
    BTC_REQUIRE(NumericError, alpha <= kMaxFp16 && std::fabs(mu) <= kMaxFp16, "column ", j, ": ",
                low, " and ", high, " are too large for fp16 scales");
    scales.alpha_col.push_back(round_to_fp16(alpha));
    scales.mu_col.push_back(round_to_fp16(mu));
  }
  return scales;
}

}  // namespace btc
