#pragma once
/// The kinds of communicator between which `make_device_communicator` chooses.

#include <memory>
#include <string>

#include "comm/device_communicator.hpp"

namespace btc::cuda {

/// `2.28.9`, of the library in use; empty if the program was built without NCCL.
std::string nccl_version();
/// Collective. @pre NCCL is there, and every rank has a device of its own
/// @throws StageFailed on every rank with NCCL's reason
std::unique_ptr<DeviceCommunicator> make_nccl(const Communicator& comm, int device);
/// Copies through pinned host memory. @param why it is used, for the log
std::unique_ptr<DeviceCommunicator> make_staged(Communicator comm, int device, std::string why);

}  // namespace btc::cuda
