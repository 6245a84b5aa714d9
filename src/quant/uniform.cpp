#include "quant/uniform.hpp"

#include <algorithm>
#include <cmath>

#include "common/half.hpp"

namespace btc {
namespace {

/// How one row of a panel is quantized.
struct Range {
  float alpha = 0;
  long zero = 0;
  long highest = 0;  ///< 2^bits - 1

  [[nodiscard]] std::uint8_t level(float w) const {
    const long steps = alpha == 0.0F ? 0 : std::lround(w / alpha);
    return static_cast<std::uint8_t>(std::clamp(steps + zero, 0L, highest));
  }
  [[nodiscard]] float value(std::uint8_t level) const {
    return alpha * static_cast<float>(static_cast<long>(level) - zero);
  }
};

Range range_of(std::span<const float> w, int bits) {
  const auto [low, high] = std::minmax_element(w.begin(), w.end());
  const float least = std::min(*low, 0.0F);
  const float most = std::max(*high, 0.0F);
  Range range;
  range.highest = (1L << bits) - 1;
  const float alpha = (most - least) / static_cast<float>(range.highest);
  BTC_REQUIRE(NumericError, alpha <= kMaxFp16, "weights from ", least, " to ", most,
              " are too far apart for an fp16 scale");
  range.alpha = round_to_fp16(alpha);
  if (range.alpha > 0.0F) {
    range.zero = std::clamp(std::lround(-least / range.alpha), 0L, range.highest);
  }
  return range;
}

/// Pushes the error of column j of the panel to its later ones.
void push_error(float error, Panel panel, std::size_t j, MatrixView<const float> u,
                std::span<float> w) {
  const std::size_t column = panel.begin + j;
  const float step = error / u(column, column);
  for (std::size_t l = j + 1; l < panel.width(); ++l) {
    w[l] -= step * u(column, panel.begin + l);
  }
}

/// Fills the levels of one row of a panel and returns its dequantized weights in `q`.
void quantize_row(std::span<float> w, const Range& range, Panel panel,
                  const MatrixView<const float>* u, std::span<std::uint8_t> level,
                  std::span<float> q) {
  for (std::size_t j = 0; j < panel.width(); ++j) {
    level[j] = range.level(w[j]);
    q[j] = range.value(level[j]);
    if (u != nullptr) {
      push_error(w[j] - q[j], panel, j, *u, w);
    }
  }
}

}  // namespace

QuantizedLinear quantize_uniform(ArbSession& session, std::size_t rows, const HessianFactor& factor,
                                 const BinarizeParams& params) {
  const std::size_t cols = factor.u.cols();
  QuantizedLinear linear;
  linear.rows = rows;
  linear.cols = cols;
  linear.panel = std::min(static_cast<std::size_t>(params.panel), cols);
  linear.residual = BitMatrix(rows, 0);
  linear.level_bits = params.uniform_bits;
  linear.level = Matrix<std::uint8_t>(rows, cols);
  linear.alpha = Matrix<float>(rows, linear.panels());
  linear.zero = Matrix<std::uint8_t>(rows, linear.panels());
  const MatrixView<const float> u = factor.u.view();
  const bool compensated = params.uniform == UniformRule::kGptq;
  for (std::size_t b = 0; b < linear.panels(); ++b) {
    const Panel panel = {b * linear.panel, std::min((b + 1) * linear.panel, cols)};
    Matrix<float> w = session.weights(panel);
    Matrix<float> q(rows, panel.width());
    for (std::size_t i = 0; i < rows; ++i) {
      const Range range = range_of(w.row(i), params.uniform_bits);
      linear.alpha(i, b) = range.alpha;
      linear.zero(i, b) = static_cast<std::uint8_t>(range.zero);
      quantize_row(w.row(i), range, panel, compensated ? &u : nullptr,
                   linear.level.row(i).subspan(panel.begin, panel.width()), q.row(i));
    }
    session.compensate(panel, q.view(), compensated ? Compensation::kExact : Compensation::kNone);
  }
  return linear;
}

}  // namespace btc
