#pragma once
/// Device buffers over MPI: through host memory, or as they are. No header of CUDA here, so that
/// the CPU tests run the same text.

#include <algorithm>
#include <functional>
#include <span>
#include <string>
#include <utility>

#include "comm/device_communicator.hpp"
#include "common/error.hpp"

namespace btc::cuda {

/// Every message travels in parts of the host buffer's size. @tparam Copier has a host buffer:
///   std::span<std::byte> buffer()  not empty, as long on every rank
///   to_host(const std::byte* device, std::size_t bytes)  to the front of the buffer, complete
///   to_device(std::byte* device, std::size_t bytes)      from the front of the buffer, complete
template <class Copier>
class StagedCommunicator final : public DeviceCommunicator {
 public:
  /// @param comm with a message space of its own
  StagedCommunicator(Communicator comm, Copier copier, std::string why)
      : comm_(std::move(comm)), copier_(std::move(copier)), why_(std::move(why)) {
    BTC_CHECK(!copier_.buffer().empty(), "no host buffer");
  }
  [[nodiscard]] std::string description() const override {
    return "MPI through pinned host memory: " + why_;
  }

  void send(int to, const void* data, std::size_t bytes) override {
    const auto* const from = static_cast<const std::byte*>(data);
    for_each_part(bytes, copier_.buffer().size(), [&](std::size_t first, std::size_t count) {
      copier_.to_host(from + first, count);
      comm_.send(to, kTag, copier_.buffer().first(count));
    });
  }
  void receive(int from, void* data, std::size_t bytes) override {
    auto* const to = static_cast<std::byte*>(data);
    for_each_part(bytes, copier_.buffer().size(), [&](std::size_t first, std::size_t count) {
      comm_.receive(from, kTag, copier_.buffer().first(count));
      copier_.to_device(to + first, count);
    });
  }
  void all_reduce_sum(std::span<std::uint64_t> values) override { comm_.all_reduce_sum(values); }

 private:
  static constexpr int kTag = 0;

  template <typename Part>
  static void for_each_part(std::size_t total, std::size_t limit, const Part& part) {
    for (std::size_t first = 0; first < total; first += limit) {
      part(first, std::min(limit, total - first));
    }
  }

  Communicator comm_;
  Copier copier_;
  std::string why_;
};

/// For an MPI library that takes device addresses.
class DirectCommunicator final : public DeviceCommunicator {
 public:
  /// @param comm with a message space of its own
  /// @param make_current makes this rank's device current for the calling thread
  DirectCommunicator(Communicator comm, std::function<void()> make_current, std::string why)
      : comm_(std::move(comm)), make_current_(std::move(make_current)), why_(std::move(why)) {}
  [[nodiscard]] std::string description() const override {
    return "MPI from device memory: " + why_;
  }

  void send(int to, const void* data, std::size_t bytes) override {
    make_current_();
    comm_.send(to, kTag, {static_cast<const std::byte*>(data), bytes});
  }
  void receive(int from, void* data, std::size_t bytes) override {
    make_current_();
    comm_.receive(from, kTag, {static_cast<std::byte*>(data), bytes});
  }
  void all_reduce_sum(std::span<std::uint64_t> values) override { comm_.all_reduce_sum(values); }

 private:
  static constexpr int kTag = 0;

  Communicator comm_;
  std::function<void()> make_current_;
  std::string why_;
};

}  // namespace btc::cuda
