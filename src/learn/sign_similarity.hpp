#pragma once
/// The auxiliary losses of BTC-LLM sec. 4.2, which act on the signs of the transformed weights.

#include <cstddef>

#include "common/matrix.hpp"

namespace btc {

/// What the signs of one Linear cost. M [B, v]: the signs of its sub-vectors of v columns; those
/// that do not fill v are left out.
struct SignLosses {
  double similarity = 0;  ///< L_sim / B = 1 - sum_{i <= K} eig_i(M^T M) / (B v), in [0, 1)
  double balance = 0;     ///< L_bal = (mean of M)^2
};

/// Adds the gradients for the weights [n, m] to `sums`, straight through the sign: dM/dw is one
/// over the mean magnitude where |w| is below it, else 0.
/// @param similarity, balance weights of the two losses
/// @pre 0 < eigenvalues < vector_length, unless `similarity` is 0
SignLosses add_sign_losses(MatrixView<const float> weights, std::size_t vector_length,
                           std::size_t eigenvalues, double similarity, double balance,
                           MatrixView<float> sums);

}  // namespace btc
