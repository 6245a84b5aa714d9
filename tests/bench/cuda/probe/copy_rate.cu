/// Rates of copies, and what a launch costs.

#include <chrono>
#include <cstdint>
#include <cstring>

#include "bench/cuda/probe/probe.cuh"

namespace btc::probe {
namespace {

constexpr std::size_t kDeviceBytes = std::size_t{1} << 30U;
constexpr std::size_t kHostBytes = std::size_t{256} << 20U;
constexpr int kThreads = 256;

__global__ void nothing() {}

__global__ void __launch_bounds__(kThreads)
    copy_words(const uint4* from, std::size_t count, uint4* to) {
  const std::size_t step = std::size_t{gridDim.x} * kThreads;
  for (std::size_t i = std::size_t{blockIdx.x} * kThreads + threadIdx.x; i < count; i += step) {
    to[i] = from[i];
  }
}

/// @param out one value of each thread. @pre count is a multiple of 4 * the number of threads
__global__ void __launch_bounds__(kThreads)
    read_words(const uint4* from, std::size_t count, std::uint32_t* out) {
  const std::size_t step = std::size_t{gridDim.x} * kThreads;
  const std::size_t thread = std::size_t{blockIdx.x} * kThreads + threadIdx.x;
  std::uint32_t sum = 0;
  for (std::size_t i = thread; i < count; i += 4 * step) {
    uint4 words[4];
#pragma unroll
    for (std::size_t part = 0; part < 4; ++part) {
      const std::size_t at = i + part * step;
      words[part] = at < count ? __ldcs(from + at) : uint4{0, 0, 0, 0};
    }
#pragma unroll
    for (const uint4& word : words) {
      sum += word.x ^ word.y ^ word.z ^ word.w;
    }
  }
  out[thread] = sum;
}

void print_row(const char* name, double bytes, double ms) {
  std::printf("| %s | %.0f | %.3f |\n", name, bytes / ms * 1e-6, ms);
}

void print_device_rates(const Device& device) {
  const Memory<uint4> from(kDeviceBytes / sizeof(uint4));
  const Memory<uint4> to(kDeviceBytes / sizeof(uint4));
  PROBE_CUDA(cudaMemset(from.data(), 0x5a, kDeviceBytes));
  PROBE_CUDA(cudaMemset(to.data(), 0, kDeviceBytes));
  const auto blocks = static_cast<unsigned>(device.multiprocessors * 8);
  const Memory<std::uint32_t> out(std::size_t{blocks} * kThreads);
  constexpr double kBoth = 2.0 * static_cast<double>(kDeviceBytes);
  print_row("device copy 1 GiB, cudaMemcpyAsync, read + write", kBoth,
            median_milliseconds(device, [&] {
              PROBE_CUDA(cudaMemcpyAsync(to.data(), from.data(), kDeviceBytes,
                                         cudaMemcpyDeviceToDevice, device.stream));
            }));
  PROBE_CUDA(cudaMemset(to.data(), 0, kDeviceBytes));
  print_row("device copy 1 GiB, kernel of 16-byte words, read + write", kBoth,
            median_milliseconds(device, [&] {
              copy_words<<<blocks, kThreads, 0, device.stream>>>(from.data(), from.size(),
                                                                 to.data());
            }));
  require(to.values(to.size() - 1, 1)[0].w == 0x5a5a5a5aU, "device copy");
  print_row(
      "device read 1 GiB, kernel of 16-byte words", kBoth / 2, median_milliseconds(device, [&] {
        read_words<<<blocks, kThreads, 0, device.stream>>>(from.data(), from.size(), out.data());
      }));
}

void print_host_rates(const Device& device) {
  const Memory<std::byte> on_device(kHostBytes);
  std::vector<std::byte> pageable(kHostBytes, std::byte{1});
  void* pinned = nullptr;
  PROBE_CUDA(cudaMallocHost(&pinned, kHostBytes));
  std::memset(pinned, 2, kHostBytes);
  const auto rate = [&](const char* name, void* to, const void* from, cudaMemcpyKind kind) {
    print_row(name, static_cast<double>(kHostBytes), median_milliseconds(device, [&] {
                PROBE_CUDA(cudaMemcpyAsync(to, from, kHostBytes, kind, device.stream));
              }));
  };
  rate("host to device 256 MiB, pinned", on_device.data(), pinned, cudaMemcpyHostToDevice);
  rate("device to host 256 MiB, pinned", pinned, on_device.data(), cudaMemcpyDeviceToHost);
  rate("host to device 256 MiB, pageable", on_device.data(), pageable.data(),
       cudaMemcpyHostToDevice);
  rate("device to host 256 MiB, pageable", pageable.data(), on_device.data(),
       cudaMemcpyDeviceToHost);
  PROBE_CUDA(cudaFreeHost(pinned));
}

/// Median microseconds on the host from the call to the end of the work.
template <typename Call>
double round_trip(const Device& device, Call call) {
  std::vector<double> times;
  for (int i = 0; i < 10 * kRepetitions; ++i) {
    const auto begin = std::chrono::steady_clock::now();
    call();
    PROBE_CUDA(cudaStreamSynchronize(device.stream));
    times.push_back(
        std::chrono::duration<double, std::micro>(std::chrono::steady_clock::now() - begin)
            .count());
  }
  return median(times);
}

void print_launches(const Device& device) {
  constexpr int kLaunches = 1000;
  const auto one = [&] { nothing<<<1, 32, 0, device.stream>>>(); };
  const auto many = [&] {
    for (int i = 0; i < kLaunches; ++i) {
      one();
    }
  };
  std::printf("\n| launches of an empty kernel | us |\n|---|---|\n");
  std::printf("| plain, one after the other, each | %.2f |\n",
              median_milliseconds(device, many) * 1e3 / kLaunches);
  const Graph graph(device, many);
  std::printf("| nodes of a graph, one after the other, each | %.2f |\n",
              median_milliseconds(device, [&] { graph.replay(); }) * 1e3 / kLaunches);
  std::printf("| plain, launch and wait | %.2f |\n", round_trip(device, one));
  const Graph single(device, one);
  std::printf("| graph of one node, launch and wait | %.2f |\n",
              round_trip(device, [&] { single.replay(); }));
}

}  // namespace

void print_copy_rates(const Device& device) {
  std::printf("| copies | GB/s | ms |\n|---|---|---|\n");
  print_device_rates(device);
  print_host_rates(device);
  print_launches(device);
  std::printf("\n");
}

}  // namespace btc::probe
