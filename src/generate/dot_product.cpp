#include "generate/dot_product.hpp"

#include <array>

#include "generate/lanes.hpp"

namespace btc {
namespace {

/// Sum of the lanes, in pairs.
float sum_of(Lanes lanes) {
  std::array<float, kLanes> values;
  store_lanes(values.data(), lanes);
  for (std::size_t half = kLanes / 2; half > 0; half /= 2) {
    for (std::size_t l = 0; l < half; ++l) {
      values[l] += values[l + half];
    }
  }
  return values[0];
}

float tail_of(const float* row, const float* x, std::size_t begin, std::size_t end) {
  float sum = 0;
  for (std::size_t j = begin; j < end; ++j) {
    sum += row[j] * x[j];
  }
  return sum;
}

/// One token: four sums side by side hide the latency of an addition.
float dot(const float* row, const float* x, std::size_t width) {
  constexpr std::size_t kStep = 4 * kLanes;
  Lanes a = {};
  Lanes b = {};
  Lanes c = {};
  Lanes d = {};
  std::size_t j = 0;
  for (; j + kStep <= width; j += kStep) {
    a += load_lanes(row + j) * load_lanes(x + j);
    b += load_lanes(row + j + kLanes) * load_lanes(x + j + kLanes);
    c += load_lanes(row + j + 2 * kLanes) * load_lanes(x + j + 2 * kLanes);
    d += load_lanes(row + j + 3 * kLanes) * load_lanes(x + j + 3 * kLanes);
  }
  for (; j + kLanes <= width; j += kLanes) {
    a += load_lanes(row + j) * load_lanes(x + j);
  }
  return sum_of((a + b) + (c + d)) + tail_of(row, x, j, width);
}

constexpr std::size_t kTokens = 4;

/// Four tokens: each weight is loaded once for all of them.
void dot_four(const float* row, MatrixView<const float> x, std::size_t t, float* y,
              std::size_t stride) {
  const std::size_t width = x.cols();
  const std::array<const float*, kTokens> in = {x.row(t).data(), x.row(t + 1).data(),
                                                x.row(t + 2).data(), x.row(t + 3).data()};
  std::array<Lanes, kTokens> sums = {};
  std::size_t j = 0;
  for (; j + kLanes <= width; j += kLanes) {
    const Lanes weights = load_lanes(row + j);
    for (std::size_t k = 0; k < kTokens; ++k) {
      sums[k] += weights * load_lanes(in[k] + j);
    }
  }
  for (std::size_t k = 0; k < kTokens; ++k) {
    y[(t + k) * stride] = sum_of(sums[k]) + tail_of(row, in[k], j, width);
  }
}

}  // namespace

void multiply_row(const float* row, MatrixView<const float> x, float* y, std::size_t stride) {
  std::size_t t = 0;
  for (; t + kTokens <= x.rows(); t += kTokens) {
    dot_four(row, x, t, y, stride);
  }
  for (; t < x.rows(); ++t) {
    y[t * stride] = dot(row, x.row(t).data(), x.cols());
  }
}

}  // namespace btc
