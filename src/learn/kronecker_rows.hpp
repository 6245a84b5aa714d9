#pragma once
/// Rows of weights through T = D (P1 (x) P2) and back, in fp32, and the gradients of both ways.
/// A row of length m = a b is viewed as [a, b].

#include <vector>

#include "common/matrix.hpp"

namespace btc {

/// T of one input with the inverses of its factors.
struct TransformValues {
  std::vector<float> sign;  ///< [m], D
  Matrix<float> p1, p2;     ///< [a, a], [b, b]
  Matrix<float> inverse1, inverse2;
};

/// dL/dD (by entry), dL/dP1, dL/dP2; sums over calls.
struct TransformGradient {
  std::vector<float> sign;
  Matrix<float> p1, p2;
};
/// Zeros for `values`.
TransformGradient no_gradient(const TransformValues& values);

/// W -> W T^-T [n, m]: each row X becomes P1^-1 (D X) P2^-T.
Matrix<float> enter_rows(const TransformValues& values, MatrixView<const float> weights);
/// Q -> Q T^T [n, m]: each row X becomes D (P1 X P2^T).
Matrix<float> fold_rows(const TransformValues& values, MatrixView<const float> weights);

/// For `fold_rows`: adds the gradient for T.
/// @param gradient dL/d of its result [n, m]
/// @return dL/d(weights)
Matrix<float> add_fold_gradient(const TransformValues& values, MatrixView<const float> weights,
                                MatrixView<const float> gradient, TransformGradient& sums);
/// The same for `enter_rows`.
Matrix<float> add_enter_gradient(const TransformValues& values, MatrixView<const float> weights,
                                 MatrixView<const float> gradient, TransformGradient& sums);

/// dL/dP of L(P^-1): subtracts P^-T (dL/dP^-1) P^-T from `sums`.
void subtract_through_inverse(const Matrix<float>& inverse, const Matrix<float>& gradient,
                              Matrix<float>& sums);

}  // namespace btc
