#pragma once
/// Threads of the host as a team of the CUDA kernels' arithmetic (see cuda/runtime/team.cuh): the
/// same reductions in the same order, so a missing `sync` or a wrong tail shows on the CPU.

#include <algorithm>
#include <barrier>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <thread>
#include <vector>

namespace btc::test {

/// One member. @see run_team
class HostTeam {
 public:
  struct Shared {
    explicit Shared(int size) : barrier(size), slot(static_cast<std::size_t>(size)) {}
    std::barrier<> barrier;
    std::vector<std::uint64_t> slot;  // bits of each member's value
  };
  HostTeam(Shared& shared, int rank) : shared_(&shared), rank_(rank) {}

  [[nodiscard]] int rank() const { return rank_; }
  [[nodiscard]] int size() const { return static_cast<int>(shared_->slot.size()); }
  void sync() const { shared_->barrier.arrive_and_wait(); }

  /// Butterflies within 32 members, then these sums in ascending order.
  template <typename T>
  T sum(T x) const {
    std::vector<T> values = exchange(x);
    const std::size_t warp = std::min<std::size_t>(values.size(), 32);
    for (std::size_t mask = 1; mask < warp; mask *= 2) {
      std::vector<T> next(values);
      for (std::size_t i = 0; i < values.size(); ++i) {
        next[i] = values[i] + values[i ^ mask];
      }
      values = next;
    }
    T total = values[0];
    for (std::size_t first = warp; first < values.size(); first += warp) {
      total += values[first];
    }
    return total;
  }
  [[nodiscard]] std::uint64_t lowest(std::uint64_t key) const {
    const std::vector<std::uint64_t> keys = exchange(key);
    return *std::min_element(keys.begin(), keys.end());
  }
  [[nodiscard]] bool any(bool flag) const {
    const std::vector<int> flags = exchange(flag ? 1 : 0);
    return std::find(flags.begin(), flags.end(), 1) != flags.end();
  }

 private:
  /// Every member's value.
  template <typename T>
  std::vector<T> exchange(T x) const {
    static_assert(sizeof(T) <= sizeof(std::uint64_t));
    sync();
    std::memcpy(&shared_->slot[static_cast<std::size_t>(rank_)], &x, sizeof(T));
    sync();
    std::vector<T> values(shared_->slot.size());
    for (std::size_t i = 0; i < values.size(); ++i) {
      std::memcpy(&values[i], &shared_->slot[i], sizeof(T));
    }
    return values;
  }

  Shared* shared_;
  int rank_;
};

/// Runs `body(team)` as every member of a team at once. @param size a power of two up to 32, or a
/// multiple of 32
template <typename Body>
void run_team(int size, const Body& body) {
  HostTeam::Shared shared(size);
  std::vector<std::jthread> members;
  for (int rank = 0; rank < size; ++rank) {
    members.emplace_back([&shared, &body, rank] { body(HostTeam(shared, rank)); });
  }
}

}  // namespace btc::test
