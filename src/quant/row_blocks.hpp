#pragma once
/// Work on rows by the threads of a backend.

#include <algorithm>
#include <cstddef>
#include <functional>

#include "backend/backend.hpp"

namespace btc {

/// Calls a body for blocks of rows, several at once, and waits. Which rows make a block never
/// depends on the number of threads.
class RowBlocks {
 public:
  static constexpr std::size_t kRows = 256;

  /// One block after the other, on the calling thread.
  RowBlocks() = default;
  explicit RowBlocks(const Backend& backend) : backend_(&backend) {}

  /// body(begin, end) for [0, kRows), [kRows, 2 kRows), ... up to `rows`.
  void operator()(std::size_t rows,
                  const std::function<void(std::size_t, std::size_t)>& body) const {
    each(ceil_div(rows, kRows),
         [&](std::size_t b) { body(b * kRows, std::min((b + 1) * kRows, rows)); });
  }
  /// body(0), .., body(count - 1).
  void each(std::size_t count, const std::function<void(std::size_t)>& body) const {
    if (backend_ != nullptr) {
      backend_->for_each(count, body);
      return;
    }
    for (std::size_t b = 0; b < count; ++b) {
      body(b);
    }
  }

 private:
  const Backend* backend_ = nullptr;
};

}  // namespace btc
