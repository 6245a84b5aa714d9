#pragma once
/// Messages between ranks whose buffers lie on devices, and sums that pass through them. No type of
/// CUDA appears, so that callers are built without it.

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>

#include "comm/communicator.hpp"

namespace btc {

/// Every call waits until the buffer may be read or used again. No other work on the buffer is
/// under way during the call: the caller has waited for the stream that wrote or read it.
class DeviceCommunicator {
 public:
  virtual ~DeviceCommunicator() = default;
  /// What carries the messages and why, for the log: `NCCL 2.28.9: every rank has its own device`.
  [[nodiscard]] virtual std::string description() const = 0;
  /// Sends `bytes` bytes at the device address `data` to rank `to`; may wait until that rank
  /// receives. One rank's messages to another arrive in order.
  /// @throws DeviceError, MpiError also if the other rank is lost and the library notices
  virtual void send(int to, const void* data, std::size_t bytes) = 0;
  /// @param bytes the same as the sender's
  virtual void receive(int from, void* data, std::size_t bytes) = 0;
  /// Sums in place over all ranks. Integers only: the sum does not depend on the rank count.
  /// Collective.
  /// @param values in memory of the host, as many on all ranks. NCCL takes them by way of the
  ///        devices; MPI as they are
  virtual void all_reduce_sum(std::span<std::uint64_t> values) = 0;
};

/// Chooses for all ranks alike: NCCL if every rank has a device of its own; else MPI, from device
/// memory if the MPI library says that it can, or through pinned host memory. Collective; also its
/// destructor, unless a call failed.
/// @param device CUDA ordinal of this rank
/// @throws BackendUnavailable when built without CUDA; StageFailed on every rank if any has no such
///         device, or NCCL refuses
std::unique_ptr<DeviceCommunicator> make_device_communicator(const Communicator& comm, int device);

}  // namespace btc
