#pragma once
/// Random values that are made on the device, the same every time.

#include <cstdint>

#include "cuda/runtime/array.cuh"
#include "cuda/runtime/launch.cuh"

namespace btc::bench {

/// Sums of four uniform values, with mean 0 and variance 1.
template <typename T>
__global__ void fill_random(T* values, std::size_t count, std::uint64_t seed) {
  const std::size_t step = std::size_t{gridDim.x} * blockDim.x;
  for (std::size_t i = std::size_t{blockIdx.x} * blockDim.x + threadIdx.x; i < count; i += step) {
    std::uint64_t x = (i + 1) * 0x9e3779b97f4a7c15ULL + seed;
    x = (x ^ (x >> 30U)) * 0xbf58476d1ce4e5b9ULL;
    x = (x ^ (x >> 27U)) * 0x94d049bb133111ebULL;
    x ^= x >> 31U;
    double sum = 0.0;
    for (unsigned part = 0; part < 4; ++part) {
      sum += static_cast<double>((x >> (16U * part)) & 0xffffU) / 65536.0 - 0.5;
    }
    values[i] = static_cast<T>(sum * 1.7320508075688772);
  }
}

template <typename T>
cuda::DeviceArray<T> random_array(const cuda::Context& context, std::size_t count,
                                  std::uint64_t seed) {
  cuda::DeviceArray<T> values(context, count);
  cuda::launch(context, {1024, 256, 0}, fill_random<T>, values.data(), count, seed);
  return values;
}

}  // namespace btc::bench
