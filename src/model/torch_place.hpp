#pragma once
/// Where LibTorch computes.

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>

namespace btc {

/// The CPU, or one CUDA device of this process. A value that is handed down to whatever runs a
/// block; weights and results stay host matrices on both sides, hidden states too except where a
/// function says `HiddenStates`.
struct TorchPlace {
  std::optional<int> device;  ///< ordinal of the CUDA device; none: the CPU
  [[nodiscard]] bool on_device() const { return device.has_value(); }
  bool operator==(const TorchPlace&) const = default;
};

/// Whether this program's LibTorch has its CUDA half (CMake option BTC_TORCH_CUDA).
bool torch_has_cuda();
/// CUDA devices that LibTorch can use; 0 without the CUDA half or without driver.
int torch_device_count();
/// One of the devices for this rank: `local_rank` modulo their number; the CPU if this program's
/// LibTorch has no CUDA half.
/// @throws BackendUnavailable if it has, and there is no device
TorchPlace torch_place_of_rank(int local_rank);
/// Gives memory that LibTorch keeps for its next tensors back to the device, for the backend's
/// kernels there. Nothing on the CPU.
void release_kept_memory(const TorchPlace& place);
/// Bytes that new tensors can take there now: of the device, or of this machine without swapping.
/// 0 if the system does not say.
std::uint64_t free_memory(const TorchPlace& place);
/// Entries of a tensor (16 MiB) up to which one thread is faster than waiting for all threads in
/// every operation.
constexpr std::size_t kSmallTensor = std::size_t{1} << 22;
/// Calls `work` for 0 to count - 1. On the CPU items are shared out over the threads, one thread
/// each, where `entries` of an item, its largest tensor, is at most kSmallTensor; other items come
/// before, one after the other with all threads. So the bits of an item do not depend on the other
/// items. On a device all run one after the other.
void share_out(const TorchPlace& place, std::size_t count,
               const std::function<std::size_t(std::size_t)>& entries,
               const std::function<void(std::size_t)>& work);
/// For the log: "the CPU", or "CUDA device 0".
std::string describe(const TorchPlace& place);

}  // namespace btc
