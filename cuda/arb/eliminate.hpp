#pragma once
/// Products with U^-1 from the right by forward substitution.

#include <cstddef>

#include "common/matrix.hpp"
#include "cuda/host_device.hpp"

namespace btc::cuda {

/// x := x U^-1 for one row of x. Column after column leaves all later ones, so each element sees
/// the subtractions of the reference in the same order.
/// @param x [k], shared by the team, written before; complete for all members on return
/// @param u [k, k] upper triangular
template <typename Team>
BTC_HD void times_inverse(const Team& team, double* x, MatrixView<const float> u) {
  const std::size_t k = u.rows();
  const auto rank = static_cast<std::size_t>(team.rank());
  for (std::size_t j = 0; j < k; ++j) {
    team.sync();
    const double quotient = x[j] / static_cast<double>(u(j, j));
    for (std::size_t l = j + 1 + rank; l < k; l += static_cast<std::size_t>(team.size())) {
      x[l] -= quotient * static_cast<double>(u(j, l));
    }
    team.sync();
    if (rank == 0) {
      x[j] = quotient;
    }
  }
  team.sync();
}

}  // namespace btc::cuda
