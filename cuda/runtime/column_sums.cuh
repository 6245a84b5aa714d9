#pragma once
/// Column sums on the device, the same bits for any number of multiprocessors.

#include <vector>

#include "cuda/runtime/array.cuh"

namespace btc::cuda {

/// Sums of the columns of `values` [rows, C], complete. Chunks of 64 rows become one row until one
/// is left; no rows give zeros.
std::vector<double> column_sums(const Context& context, DeviceMatrix<double> values);

}  // namespace btc::cuda
