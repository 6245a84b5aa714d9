#include "comm/device_communicator.hpp"

#include <array>

#include "comm/agree.hpp"
#include "comm/device_binding.hpp"
#include "cuda/comm/communicators.hpp"
#include "cuda/comm/gpu_aware_mpi.hpp"
#include "cuda/comm/mpi_communicators.hpp"
#include "cuda/runtime/check.cuh"

namespace btc {
namespace {

constexpr const char* kWhat = "device communicator";

/// Host and PCI address of each rank's device: ordinals differ between processes that see different
/// devices. Collective.
std::vector<std::string> places(const Communicator& comm, int device) {
  std::array<char, 32> address{};
  agree(comm, kWhat, [&] {
    BTC_CUDA(cudaDeviceGetPCIBusId(address.data(), static_cast<int>(address.size()), device));
  });
  std::vector<std::string> result = comm.host_names();
  const std::vector<std::string> addresses = comm.all_gather(address.data());
  for (std::size_t rank = 0; rank < result.size(); ++rank) {
    result[rank] += " " + addresses[rank];
  }
  return result;
}

}  // namespace

std::unique_ptr<DeviceCommunicator> make_device_communicator(const Communicator& comm, int device) {
  std::string why = shared_device(places(comm, device));
  if (why.empty() && cuda::nccl_version().empty()) {
    why = "built without NCCL";
  }
  if (why.empty()) {
    return cuda::make_nccl(comm, device);
  }
  const bool direct = comm.all_reduce_max(cuda::gpu_aware_mpi() ? 0 : 1) == 0;
  Communicator own = comm.duplicate();
  if (direct) {
    return std::make_unique<cuda::DirectCommunicator>(
        std::move(own), [device] { BTC_CUDA(cudaSetDevice(device)); }, why);
  }
  std::unique_ptr<DeviceCommunicator> result;
  agree(comm, kWhat, [&] {
    result =
        cuda::make_staged(std::move(own), device, why + "; the MPI library takes no device memory");
  });
  return result;
}

}  // namespace btc
