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

/// What a call with a panel of 4096 x 128 weights pays on the host until they are on the device,
/// and for its scales until they are back. Staged: the calling thread copies into pinned memory,
/// piece by piece, each of which starts its way to the device while the next is copied.
void print_panel_copies(const Device& device) {
  constexpr std::size_t kRowBytes = 512;
  constexpr std::size_t kPanelBytes = 4096 * kRowBytes;
  constexpr std::size_t kScaleBytes = std::size_t{96} << 10U;
  const Memory<std::byte> on_device(kPanelBytes);
  std::vector<std::byte> pageable(kPanelBytes, std::byte{1});
  void* allocated = nullptr;
  PROBE_CUDA(cudaMallocHost(&allocated, kPanelBytes));
  auto* const pinned = static_cast<std::byte*>(allocated);
  std::memset(pinned, 2, kPanelBytes);
  const auto copy = [&](void* to, const void* from, std::size_t bytes, cudaMemcpyKind kind) {
    PROBE_CUDA(cudaMemcpyAsync(to, from, bytes, kind, device.stream));
  };
  const auto print = [&](const char* name, auto call) {
    std::printf("| %s | %.1f |\n", name, round_trip(device, call));
  };
  const auto staged = [&](std::size_t piece) {
    for (std::size_t at = 0; at < kPanelBytes; at += piece) {
      std::memcpy(pinned + at, pageable.data() + at, piece);
      copy(on_device.data() + at, pinned + at, piece, cudaMemcpyHostToDevice);
    }
  };
  std::printf("\n| copies of a panel, call and wait | us |\n|---|---|\n");
  print("2 MiB to the device, pinned",
        [&] { copy(on_device.data(), pinned, kPanelBytes, cudaMemcpyHostToDevice); });
  print("2 MiB to the device, pageable",
        [&] { copy(on_device.data(), pageable.data(), kPanelBytes, cudaMemcpyHostToDevice); });
  print("2 MiB to the device, pageable, as rows of 512 bytes without gaps", [&] {
    PROBE_CUDA(cudaMemcpy2DAsync(on_device.data(), kRowBytes, pageable.data(), kRowBytes, kRowBytes,
                                 kPanelBytes / kRowBytes, cudaMemcpyHostToDevice, device.stream));
  });
  print("2 MiB to the device, staged in 128 KiB", [&] { staged(std::size_t{128} << 10U); });
  print("2 MiB to the device, staged in 256 KiB", [&] { staged(std::size_t{256} << 10U); });
  print("2 MiB to the device, staged in 512 KiB", [&] { staged(std::size_t{512} << 10U); });
  print("2 MiB from memory to pinned memory, no device",
        [&] { std::memcpy(pinned, pageable.data(), kPanelBytes); });
  print("96 KiB from the device, pageable",
        [&] { copy(pageable.data(), on_device.data(), kScaleBytes, cudaMemcpyDeviceToHost); });
  print("96 KiB from the device, staged", [&] {
    copy(pinned, on_device.data(), kScaleBytes, cudaMemcpyDeviceToHost);
    PROBE_CUDA(cudaStreamSynchronize(device.stream));
    std::memcpy(pageable.data(), pinned, kScaleBytes);
  });
  PROBE_CUDA(cudaFreeHost(allocated));
}

}  // namespace

void print_copy_rates(const Device& device) {
  std::printf("| copies | GB/s | ms |\n|---|---|---|\n");
  print_device_rates(device);
  print_host_rates(device);
  print_panel_copies(device);
  print_launches(device);
  std::printf("\n");
}

}  // namespace btc::probe
