/// Rates of one device that decide which kernels are worth writing, as Markdown tables. Needs
/// nothing but the CUDA libraries; takes less than 45 seconds and leaves the clocks as they are.
///
/// Medians of 21 repetitions by events. A wrong result or a failed call ends the probe it belongs
/// to; the exit code is then 1. Exit code 77: no device.

#include <exception>

#include "bench/cuda/probe/probe.cuh"

namespace btc::probe {
namespace {

int attribute(cudaDeviceAttr which) {
  int value = 0;
  PROBE_CUDA(cudaDeviceGetAttribute(&value, which, 0));
  return value;
}

Device open_device() {
  Device device;
  cudaDeviceProp properties{};
  PROBE_CUDA(cudaGetDeviceProperties(&properties, 0));
  device.capability = 10 * properties.major + properties.minor;
  device.multiprocessors = properties.multiProcessorCount;
  device.l2_bytes = static_cast<std::size_t>(properties.l2CacheSize);
  PROBE_CUDA(cudaStreamCreate(&device.stream));  // waits for copies of the default stream
  int runtime = 0;
  int driver = 0;
  PROBE_CUDA(cudaRuntimeGetVersion(&runtime));
  PROBE_CUDA(cudaDriverGetVersion(&driver));
  std::printf("%s, compute capability %d.%d, %d SMs, L2 %.0f MiB, shared memory %.0f KiB per SM\n",
              properties.name, properties.major, properties.minor, device.multiprocessors,
              properties.l2CacheSize / 1048576.0,
              static_cast<double>(properties.sharedMemPerMultiprocessor) / 1024.0);
  std::printf("SM clock at most %d MHz, memory clock %d MHz, CUDA %d, driver %d\n\n",
              attribute(cudaDevAttrClockRate) / 1000, attribute(cudaDevAttrMemoryClockRate) / 1000,
              runtime, driver);
  return device;
}

bool run(const char* name, void (*probe)(const Device&), const Device& device) {
  try {
    probe(device);
    PROBE_CUDA(cudaDeviceSynchronize());
    std::fflush(stdout);
    return true;
  } catch (const std::exception& error) {
    std::printf("\n%s FAILED: %s\n\n", name, error.what());
    std::fflush(stdout);
    return false;
  }
}

int run_all() {
  int count = 0;
  const cudaError_t code = cudaGetDeviceCount(&count);
  if (code != cudaSuccess || count == 0) {
    std::printf("skipped: no CUDA device (%s)\n", cudaGetErrorString(code));
    return 77;
  }
  const Device device = open_device();
  bool good = run("mma", print_mma_rates, device);
  good = run("look-ups", print_lookup_rates, device) && good;
  good = run("copies", print_copy_rates, device) && good;
  good = run("matmul", print_matmul_rates, device) && good;
  good = run("wgmma", print_wgmma_rates, device) && good;
  return good ? 0 : 1;
}

}  // namespace
}  // namespace btc::probe

int main() {
  try {
    return btc::probe::run_all();
  } catch (const std::exception& error) {
    std::printf("FAILED: %s\n", error.what());
    return 1;
  }
}
