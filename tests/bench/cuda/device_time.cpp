#include "bench/cuda/device_time.hpp"

#include <cuda_runtime.h>
#include <cupti.h>

#include <array>
#include <cstdint>
#include <cstdlib>
#include <mutex>
#include <stdexcept>
#include <string>

namespace btc::bench {
namespace {

constexpr std::size_t kBufferBytes = std::size_t{4} << 20U;
constexpr std::size_t kAlignment = 8;
constexpr std::array kKinds = {CUPTI_ACTIVITY_KIND_CONCURRENT_KERNEL, CUPTI_ACTIVITY_KIND_MEMCPY,
                               CUPTI_ACTIVITY_KIND_MEMSET};

void check(CUptiResult code, const char* call) {
  if (code != CUPTI_SUCCESS) {
    const char* text = nullptr;
    cuptiGetResultString(code, &text);
    throw std::runtime_error(std::string(call) + ": " + (text == nullptr ? "?" : text));
  }
}

/// CUPTI takes functions without state; one process has one collection of records.
struct Collected {
  std::mutex mutex;
  DeviceTime time;
};
Collected& collected() {
  static Collected instance;
  return instance;
}

template <typename Record>
double microseconds(const CUpti_Activity* record) {
  const auto* typed = reinterpret_cast<const Record*>(record);
  return static_cast<double>(typed->end - typed->start) * 1e-3;
}

void add(const CUpti_Activity* record, DeviceTime& time) {
  switch (record->kind) {
    case CUPTI_ACTIVITY_KIND_CONCURRENT_KERNEL:
      time.kernels_us += microseconds<CUpti_ActivityKernel10>(record);
      time.us_by_kernel[reinterpret_cast<const CUpti_ActivityKernel10*>(record)->name] +=
          microseconds<CUpti_ActivityKernel10>(record);
      ++time.kernels;
      break;
    case CUPTI_ACTIVITY_KIND_MEMCPY:
      time.copies_us += microseconds<CUpti_ActivityMemcpy6>(record);
      time.copied_bytes +=
          static_cast<double>(reinterpret_cast<const CUpti_ActivityMemcpy6*>(record)->bytes);
      ++time.copies;
      break;
    case CUPTI_ACTIVITY_KIND_MEMSET:
      time.copies_us += microseconds<CUpti_ActivityMemset4>(record);
      ++time.copies;
      break;
    default:
      break;
  }
}

void CUPTIAPI give_buffer(std::uint8_t** buffer, std::size_t* size, std::size_t* records) {
  *buffer = static_cast<std::uint8_t*>(std::aligned_alloc(kAlignment, kBufferBytes));
  *size = *buffer == nullptr ? 0 : kBufferBytes;
  *records = 0;
}

void CUPTIAPI take_buffer(CUcontext /*context*/, std::uint32_t /*stream*/, std::uint8_t* buffer,
                          std::size_t /*size*/, std::size_t valid) {
  const std::lock_guard lock(collected().mutex);
  CUpti_Activity* record = nullptr;
  while (valid > 0 && cuptiActivityGetNextRecord(buffer, valid, &record) == CUPTI_SUCCESS) {
    add(record, collected().time);
  }
  std::free(buffer);
}

void flush() {
  if (cudaDeviceSynchronize() != cudaSuccess) {
    throw std::runtime_error("the device reported an error");
  }
  check(cuptiActivityFlushAll(CUPTI_ACTIVITY_FLAG_FLUSH_FORCED), "cuptiActivityFlushAll");
}

}  // namespace

DeviceTime device_time(const std::function<void()>& call) {
  check(cuptiActivityRegisterCallbacks(give_buffer, take_buffer), "cuptiActivityRegisterCallbacks");
  for (const CUpti_ActivityKind kind : kKinds) {
    check(cuptiActivityEnable(kind), "cuptiActivityEnable");
  }
  flush();
  {
    const std::lock_guard lock(collected().mutex);
    collected().time = {};
  }
  call();
  flush();
  for (const CUpti_ActivityKind kind : kKinds) {
    check(cuptiActivityDisable(kind), "cuptiActivityDisable");
  }
  const std::lock_guard lock(collected().mutex);
  return collected().time;
}

}  // namespace btc::bench
