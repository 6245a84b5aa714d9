#pragma once
/// The threads of the CPU backend. The only file that knows oneTBB is `workers.cpp`.

#include <cstddef>
#include <functional>
#include <memory>

namespace btc {

/// At most `threads` threads that work on index ranges. Ranges never depend on the number of
/// threads: a sum made of one partial sum per range, added in index order, is the same for any.
class Workers {
 public:
  /// @throws ConfigError unless threads >= 1
  explicit Workers(int threads);
  ~Workers();
  Workers(const Workers&) = delete;
  Workers& operator=(const Workers&) = delete;

  [[nodiscard]] int threads() const noexcept { return threads_; }
  /// Calls body(begin, end) for [0, block), [block, 2 block), ... up to `count`, in any order, on
  /// any thread, and waits. May be nested. The first exception of a body is thrown again here.
  void for_blocks(std::size_t count, std::size_t block,
                  const std::function<void(std::size_t, std::size_t)>& body) const;

 private:
  struct Arena;
  int threads_;
  std::unique_ptr<Arena> arena_;
};

}  // namespace btc
