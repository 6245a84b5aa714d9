#pragma once
/// Results of the host that are too large for small pages: the kernel clears and maps a page at the
/// first write, which for a matrix of hundreds of megabytes takes longer than the copy into it.

#include <sys/mman.h>

#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

#include "common/matrix.hpp"

namespace btc::cuda {

/// Asks for large pages in [data, data + bytes). A hint: where the system has none, nothing
/// changes.
inline void prefer_large_pages(void* data, std::size_t bytes) {
  constexpr std::uintptr_t kLargePage = std::uintptr_t{2} << 20U;
  const auto address = reinterpret_cast<std::uintptr_t>(data);
  const std::uintptr_t begin = (address + kLargePage - 1) / kLargePage * kLargePage;
  const std::uintptr_t end = (address + bytes) / kLargePage * kLargePage;
  if (begin < end) {
    ::madvise(static_cast<std::byte*>(data) + (begin - address), end - begin, MADV_HUGEPAGE);
  }
}

/// Zeros [rows, cols], in large pages if there are any.
template <typename T>
Matrix<T> zeros_in_large_pages(std::size_t rows, std::size_t cols) {
  std::vector<T> values;
  values.reserve(rows * cols);
  prefer_large_pages(values.data(), rows * cols * sizeof(T));
  values.resize(rows * cols);
  return {rows, cols, std::move(values)};
}

}  // namespace btc::cuda
