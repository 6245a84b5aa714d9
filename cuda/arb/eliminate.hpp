#pragma once
/// Products with U^-1 from the right by forward substitution.

#include <cstddef>

#include "common/matrix.hpp"
#include "cuda/host_device.hpp"

namespace btc::cuda {

/// x := x U^-1 for each of `count` vectors `x` [k], `stride` apart, written before. Column after
/// column leaves all later ones, so each element sees the subtractions of the reference in the same
/// order. Starts and ends with a sync.
/// @param u [k, k] upper triangular
template <class Team>
BTC_HD void times_inverse(const Team& team, MatrixView<const float> u, std::size_t count, double* x,
                          std::size_t stride) {
  const auto member = static_cast<std::size_t>(team.rank());
  const auto members = static_cast<std::size_t>(team.size());
  team.sync();
  for (std::size_t j = 0; j < u.cols(); ++j) {
    for (std::size_t a = member; a < count; a += members) {
      x[a * stride + j] /= static_cast<double>(u(j, j));
    }
    team.sync();
    for (std::size_t l = j + 1 + member; l < u.cols(); l += members) {
      const auto factor = static_cast<double>(u(j, l));
      for (std::size_t a = 0; a < count; ++a) {
        x[a * stride + l] -= x[a * stride + j] * factor;
      }
    }
    team.sync();
  }
}

}  // namespace btc::cuda
