#pragma once
/// The error of a panel that is pushed to later columns. @see GPTQ; `btc::Compensation`

#include "backend/backend.hpp"
#include "cuda/arb/eliminate.hpp"

namespace btc::cuda {

/// error := (w - q) / diag(U), or (w - q) U_CC^-1 where columns are eliminated one by one.
/// @param w, q [k] of one row; @param u [k, k]; @param error [k], shared by the team
template <typename Team>
BTC_HD void panel_error(const Team& team, std::span<const float> w, std::span<const float> q,
                        MatrixView<const float> u, Compensation kind, double* error) {
  for (auto j = static_cast<std::size_t>(team.rank()); j < w.size();
       j += static_cast<std::size_t>(team.size())) {
    const double left = static_cast<double>(w[j]) - static_cast<double>(q[j]);
    error[j] = kind == Compensation::kBlock ? left / static_cast<double>(u(j, j)) : left;
  }
  if (kind == Compensation::kBlock) {
    team.sync();
  } else {
    times_inverse(team, u, 1, error, 0);
  }
}

/// A weight right of the panel after the push.
BTC_HD inline float pushed(float w, double push) {
  return static_cast<float>(static_cast<double>(w) - push);
}

}  // namespace btc::cuda
