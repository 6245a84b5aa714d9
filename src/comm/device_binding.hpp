#pragma once
/// Which device a rank works on, and whether ranks share one.

#include <optional>
#include <span>
#include <string>
#include <vector>

#include "comm/communicator.hpp"

namespace btc {

/// Ranks of a node take the visible devices in turn: local rank modulo their number. The CUDA
/// runtime numbers what CUDA_VISIBLE_DEVICES shows, so a launcher that gives each rank a device of
/// its own is followed.
/// @param visible value of CUDA_VISIBLE_DEVICES; nullopt if it is not set
/// @return 0 where there is no device: the backend that opens it says why
/// @throws BackendUnavailable if the variable is set and empty, which hides every device
int choose_device(int local_rank, int device_count, const std::optional<std::string>& visible);

/// The same for this process. @param local_rank as `Communicator::local_rank` gives it
int device_of_rank(int local_rank, int device_count);

/// One line per rank, in rank order: `rank 3 (node17, local rank 1): device 1 of 4`. Collective.
std::vector<std::string> describe_devices(const Communicator& comm, int local_rank, int device,
                                          int device_count);

/// Names the first two ranks with the same device; empty if every rank has one of its own.
/// @param places [ranks], what tells a rank's device from all others (host and address)
std::string shared_device(std::span<const std::string> places);

}  // namespace btc
