#pragma once
/// Rows of weights through T = D (P1 (x) P2) and back, in fp32, by operations that LibTorch
/// differentiates for all their arguments. A row of length m = a b is viewed as [a, b]. Only
/// `*_torch.cpp` files include this.

#include <cstddef>

namespace at {
class Tensor;
}

namespace btc {

/// W -> W T^-T [n, m]: each row X becomes P1^-1 (D X) P2^-T.
/// @param sign [m], D; @param inverse1 [a, a]; @param inverse2 [b, b]
at::Tensor enter_rows(const at::Tensor& weights, const at::Tensor& sign, const at::Tensor& inverse1,
                      const at::Tensor& inverse2);
/// Q -> Q T^T [n, m]: each row X becomes D (P1 X P2^T).
at::Tensor fold_rows(const at::Tensor& weights, const at::Tensor& sign, const at::Tensor& p1,
                     const at::Tensor& p2);

/// The rows of v_proj through the head_dim matrix P2 of the input `o`, and back. For the rows W_h
/// [head_dim, m] of a key head h with the signs D_h: W_h -> P2^T D_h W_h, since values are row
/// vectors v -> (v D) P2.
/// @param sign [heads head_dim]; those of the first query head of each key head count
/// @param shared_by query heads per key head; their signs are equal
at::Tensor enter_values(const at::Tensor& weights, const at::Tensor& sign, const at::Tensor& p2,
                        std::size_t shared_by);
/// The way back: F_h -> D_h P2^-T F_h.
at::Tensor leave_values(const at::Tensor& weights, const at::Tensor& sign,
                        const at::Tensor& inverse2, std::size_t shared_by);

}  // namespace btc
