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
    scales.alpha_col.push_back(round_to_fp16((high - low) / 2.0F));
    scales.mu_col.push_back(round_to_fp16((high + low) / 2.0F));
    BTC_REQUIRE(NumericError,
                std::isfinite(scales.alpha_col.back()) && std::isfinite(scales.mu_col.back()),
                "column ", j, ": ", low, " and ", high, " are too far apart for fp16 scales");
  }
  return scales;
}

}  // namespace btc
