#include <ATen/Parallel.h>
#include <ATen/detail/CUDAHooksInterface.h>
#include <c10/core/CachingDeviceAllocator.h>
#include <c10/core/impl/DeviceGuardImplInterface.h>

#include <atomic>
#include <fstream>
#include <limits>
#include <vector>

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

void share_out(const TorchPlace& place, std::size_t count,
               const std::function<std::size_t(std::size_t)>& entries,
               const std::function<void(std::size_t)>& work) {
  std::vector<std::size_t> shared;
  for (std::size_t item = 0; item < count; ++item) {
    if (place.on_device() || entries(item) > kSmallTensor) {
      work(item);
    } else {
      shared.push_back(item);
    }
  }
  // Also a lone item runs inside of the parallel region, where LibTorch starts no threads.
  std::atomic<std::size_t> next = 0;
  at::parallel_for(0, at::get_num_threads(), 1, [&](std::int64_t, std::int64_t) {
    for (std::size_t i = next++; i < shared.size(); i = next++) {
      work(shared[i]);
    }
  });
}

std::string describe(const TorchPlace& place) {
  return place.on_device() ? concat("CUDA device ", *place.device) : "the CPU";
}

}  // namespace btc
