#pragma once
/// Rows of large matrices, a piece at a time. Only `*_torch.cpp` files include this.

#include <cstddef>
#include <cstdint>
#include <functional>

namespace at {
class Tensor;
}

namespace btc {

/// Calls body(first, rows) for pieces of the rows of `weights` [n, m], in ascending order, each a
/// multiple of `unit` rows. On the CPU they are small enough for what is computed of them to stay
/// in caches; on a device they are large, so that few kernels start.
void for_row_pieces(const at::Tensor& weights, std::size_t unit,
                    const std::function<void(std::int64_t first, std::int64_t rows)>& body);

}  // namespace btc
