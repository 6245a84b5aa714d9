#include <ATen/detail/CUDAHooksInterface.h>
#include <c10/core/CachingDeviceAllocator.h>
#include <c10/core/impl/DeviceGuardImplInterface.h>

#include <fstream>
#include <limits>

#include "common/error.hpp"
#include "common/matrix.hpp"
#include "model/torch_place.hpp"

namespace btc {

bool torch_has_cuda() { return c10::impl::hasDeviceGuardImpl(c10::DeviceType::CUDA); }

int torch_device_count() {
  return torch_has_cuda() ? static_cast<int>(at::detail::getCUDAHooks().deviceCount()) : 0;
}

TorchPlace torch_place_of_rank(int local_rank) {
  if (!torch_has_cuda()) {
    return {};
  }
  const int devices = torch_device_count();
  BTC_REQUIRE(BackendUnavailable, devices > 0, "LibTorch finds no CUDA device");
  return {local_rank % devices};
}

void release_kept_memory(const TorchPlace& place) {
  if (place.on_device()) {
    c10::getDeviceAllocator(c10::DeviceType::CUDA)->emptyCache();
  }
}

std::uint64_t free_memory(const TorchPlace& place) {
  if (place.on_device()) {
    return c10::getDeviceAllocator(c10::DeviceType::CUDA)
        ->getMemoryInfo(narrow<c10::DeviceIndex>(*place.device))
        .first;
  }
  std::ifstream file("/proc/meminfo");
  for (std::string name; file >> name;) {
    std::uint64_t kibibytes = 0;
    if (name == "MemAvailable:" && file >> kibibytes) {
      return kibibytes * 1024;
    }
    file.ignore(std::numeric_limits<std::streamsize>::max(), '\n');
  }
  return 0;
}

std::string describe(const TorchPlace& place) {
  return place.on_device() ? concat("CUDA device ", *place.device) : "the CPU";
}

}  // namespace btc
