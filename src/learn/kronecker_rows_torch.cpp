#include <ATen/TensorOperators.h>
#include <ATen/core/Tensor.h>
#include <ATen/ops/bmm.h>
#include <ATen/ops/matmul.h>

#include "common/error.hpp"
#include "common/matrix.hpp"
#include "learn/kronecker_rows.hpp"

namespace btc {
namespace {

/// left X right of each X [a, b] of `rows` [n, a, b].
at::Tensor between(const at::Tensor& left, const at::Tensor& rows, const at::Tensor& right) {
  const std::int64_t n = rows.size(0);
  const std::int64_t a = left.size(0);
  const std::int64_t b = right.size(0);
  const at::Tensor by_right = at::matmul(rows.reshape({n * a, b}), right).view({n, a, b});
  return at::bmm(left.expand({n, a, a}), by_right);
}

/// [n, m] as [n, a, b].
at::Tensor viewed(const at::Tensor& weights, const at::Tensor& sign, const at::Tensor& left,
                  const at::Tensor& right) {
  const std::int64_t a = left.size(0);
  const std::int64_t b = right.size(0);
  BTC_CHECK(weights.size(1) == sign.size(0) && weights.size(1) == a * b, "rows of ",
            weights.size(1), " for factors of ", a, " and ", b);
  return weights.reshape({-1, a, b});
}

/// Rows [heads, head_dim, m] of the key heads.
at::Tensor heads_of(const at::Tensor& weights, std::int64_t head_dim) {
  BTC_CHECK(weights.size(0) % head_dim == 0, weights.size(0), " rows for heads of ", head_dim);
  return weights.reshape({-1, head_dim, weights.size(1)});
}

/// D of each row of the key heads [heads, head_dim, 1].
at::Tensor head_signs(const at::Tensor& sign, std::int64_t head_dim, std::size_t shared_by) {
  return sign.view({-1, narrow<std::int64_t>(shared_by), head_dim}).select(1, 0).unsqueeze(-1);
}

/// matrix W_h of every head.
at::Tensor on_heads(const at::Tensor& matrix, const at::Tensor& heads) {
  return at::bmm(matrix.expand({heads.size(0), -1, -1}), heads);
}

}  // namespace

at::Tensor enter_rows(const at::Tensor& weights, const at::Tensor& sign, const at::Tensor& inverse1,
                      const at::Tensor& inverse2) {
  const at::Tensor rows = viewed(weights * sign, sign, inverse1, inverse2);
  return between(inverse1, rows, inverse2.t()).view(weights.sizes());
}

at::Tensor fold_rows(const at::Tensor& weights, const at::Tensor& sign, const at::Tensor& p1,
                     const at::Tensor& p2) {
  return between(p1, viewed(weights, sign, p1, p2), p2.t()).view(weights.sizes()) * sign;
}

at::Tensor enter_values(const at::Tensor& weights, const at::Tensor& sign, const at::Tensor& p2,
                        std::size_t shared_by) {
  const std::int64_t head_dim = p2.size(0);
  const at::Tensor heads = heads_of(weights, head_dim) * head_signs(sign, head_dim, shared_by);
  return on_heads(p2.t(), heads).view(weights.sizes());
}

at::Tensor leave_values(const at::Tensor& weights, const at::Tensor& sign,
                        const at::Tensor& inverse2, std::size_t shared_by) {
  const std::int64_t head_dim = inverse2.size(0);
  const at::Tensor heads = on_heads(inverse2.t(), heads_of(weights, head_dim));
  return (heads * head_signs(sign, head_dim, shared_by)).view(weights.sizes());
}

}  // namespace btc
