#pragma once
/// The auxiliary losses of BTC-LLM sec. 4.2, which act on the signs of the transformed weights.

#include <cstddef>

namespace at {
class Tensor;
}

namespace btc {

/// What the signs of one Linear cost. M [B, v]: the signs of its sub-vectors of v columns; those
/// that do not fill v are left out.
struct SignLosses {
  double similarity = 0;  ///< L_sim / B = 1 - sum_{i <= K} eig_i(M^T M) / (B v), in [0, 1)
  double balance = 0;     ///< L_bal = (mean of M)^2
};

/// The losses of the weights [n, m], before weighting.
/// @param similarity, balance weights of the two losses
/// @param gradient becomes that of their weighted sum for the weights, straight through the sign:
///        dM/dw is one over the mean magnitude where |w| is below it, else 0
/// @pre 0 < eigenvalues < vector_length, unless `similarity` is 0
SignLosses sign_losses(const at::Tensor& weights, std::size_t vector_length,
                       std::size_t eigenvalues, double similarity, double balance,
                       at::Tensor& gradient);

}  // namespace btc
