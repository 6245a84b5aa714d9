#include "cuda/runtime/column_sums.cuh"

#include "cuda/runtime/column_sums.hpp"
#include "cuda/runtime/launch.cuh"

namespace btc::cuda {
namespace {

constexpr int kThreads = 128;

__global__ void sum_rows_kernel(MatrixView<const double> values, MatrixView<double> sums) {
  const std::size_t at = static_cast<std::size_t>(blockIdx.x) * blockDim.x + threadIdx.x;
  if (at < sums.rows() * sums.cols()) {
    const std::size_t chunk = at / sums.cols();
    const std::size_t column = at % sums.cols();
    sums(chunk, column) = sum_rows(values, chunk, column);
  }
}

}  // namespace

std::vector<double> column_sums(const Context& context, DeviceMatrix<double> values) {
  if (values.rows() == 0 || values.cols() == 0) {
    return std::vector<double>(values.cols(), 0.0);
  }
  while (values.rows() > 1) {
    DeviceMatrix<double> sums(context, ceil_div(values.rows(), kSumRows), values.cols());
    launch(context, {ceil_div(sums.rows() * sums.cols(), kThreads), kThreads}, sum_rows_kernel,
           values.view(), sums.view());
    values = std::move(sums);
  }
  return values.array().to_vector();
}

}  // namespace btc::cuda
