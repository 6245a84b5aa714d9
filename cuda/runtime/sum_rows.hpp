#pragma once
/// Sums over the rows of a matrix of doubles in an order that depends only on its shape.

#include <cstddef>

#include "common/matrix.hpp"
#include "cuda/host_device.hpp"

namespace btc::cuda {

/// Sum of column c of `x`, for every member.
template <typename Team>
BTC_HD double sum_column(const Team& team, MatrixView<const double> x, std::size_t c) {
  double sum = 0;
  for (auto i = static_cast<std::size_t>(team.rank()); i < x.rows();
       i += static_cast<std::size_t>(team.size())) {
    sum += x(i, c);
  }
  return team.sum(sum);
}

}  // namespace btc::cuda
