#pragma once
/// How this process takes large memory, and what it does with freed memory.

#include <cstddef>
#include <utility>
#include <vector>

#include "common/matrix.hpp"

namespace btc {

/// Freed blocks of up to 32 MiB stay with the process. Matrices of a panel come and go by the
/// thousand; given back to the system, each would be cleared and paged in again. Call once, first.
void keep_freed_memory();

/// Asks for large pages in [data, data + bytes). A hint: where the system has none, nothing
/// changes.
void prefer_large_pages(void* data, std::size_t bytes);

/// Zeros [rows, cols], in large pages if there are any, and every page is there already: the system
/// clears and maps a page at its first write, which for a matrix of hundreds of megabytes in small
/// pages takes longer than a copy into it.
template <typename T>
Matrix<T> zeros_in_large_pages(std::size_t rows, std::size_t cols) {
  std::vector<T> values;
  values.reserve(rows * cols);
  prefer_large_pages(values.data(), rows * cols * sizeof(T));
  values.resize(rows * cols);
  return {rows, cols, std::move(values)};
}

}  // namespace btc
