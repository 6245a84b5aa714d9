#pragma once
/// The inner loop of generation: one row of weights times the inputs of some tokens.

#include <cstddef>

#include "common/matrix.hpp"

namespace btc {

/// y[t] = sum over j of row[j] * x[t, j], fp32, in an order that depends on the width alone.
/// @param row [m]  @param x [T, m]  @param y T values, `stride` apart
void multiply_row(const float* row, MatrixView<const float> x, float* y, std::size_t stride);

}  // namespace btc
