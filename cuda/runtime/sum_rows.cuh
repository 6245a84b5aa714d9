#pragma once

#include <vector>

#include "cuda/runtime/array.cuh"

namespace btc::cuda {

/// Sum over the rows of each column of x [rows, columns], on the device.
std::vector<double> sum_rows(const Context& context, MatrixView<const double> x);

}  // namespace btc::cuda
