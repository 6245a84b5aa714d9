#include "cuda/runtime/sum_rows.hpp"

#include "cuda/runtime/launch.cuh"
#include "cuda/runtime/sum_rows.cuh"
#include "cuda/runtime/team.cuh"

namespace btc::cuda {
namespace {

__global__ void sum_columns(MatrixView<const double> x, double* sums) {
  const BlockTeam team;
  const double sum = sum_column(team, x, blockIdx.x);
  if (team.rank() == 0) {
    sums[blockIdx.x] = sum;
  }
}

}  // namespace

std::vector<double> sum_rows(const Context& context, MatrixView<const double> x) {
  DeviceArray<double> sums(context, x.cols());
  launch(context, {x.cols(), 256}, sum_columns, x, sums.data());
  return sums.to_vector();
}

}  // namespace btc::cuda
