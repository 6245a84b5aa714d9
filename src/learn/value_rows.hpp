#pragma once
/// The rows of v_proj through the head_dim matrix of `o`, and back. For the rows W_h [head_dim, m]
/// of a key head h with the signs D_h: W_h -> P2^T D_h W_h, since values are row vectors v -> (v D)
/// P2.

#include "learn/kronecker_rows.hpp"

namespace btc {

/// @param output of the input `o`, whose P2 is [head_dim, head_dim]
/// @param shared_by query heads per key head; their signs are equal
Matrix<float> enter_values(const TransformValues& output, std::size_t shared_by,
                           MatrixView<const float> weights);
/// For `enter_values`: adds dL/dD (to the first head of those that share) and dL/dP2 to `sums`.
/// @param weights what went in; @param gradient dL/d of the result [n, m]
void add_value_gradient(const TransformValues& output, std::size_t shared_by,
                        MatrixView<const float> weights, MatrixView<const float> gradient,
                        TransformGradient& sums);
/// The way back: F_h -> D_h P2^-T F_h.
Matrix<float> leave_values(const TransformValues& output, std::size_t shared_by,
                           MatrixView<const float> weights);
/// The same for `leave_values`.
/// @return dL/d(weights)
Matrix<float> add_leave_gradient(const TransformValues& output, std::size_t shared_by,
                                 MatrixView<const float> weights, MatrixView<const float> gradient,
                                 TransformGradient& sums);

}  // namespace btc
