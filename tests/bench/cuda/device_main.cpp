/// `main` of the benchmarks of a device; without one it says why and exits with 77.

#include <benchmark/benchmark.h>
#include <cuda_runtime.h>

#include <cstdio>
#include <string>

int main(int argc, char** argv) {
  int count = 0;
  cudaDeviceProp properties{};
  cudaError_t code = cudaGetDeviceCount(&count);
  if (code == cudaSuccess) {
    code = count > 0 ? cudaGetDeviceProperties(&properties, 0) : cudaErrorNoDevice;
  }
  if (code != cudaSuccess) {
    std::printf("skipped: no CUDA device (%s)\n", cudaGetErrorString(code));
    return 77;
  }
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) {
    return 1;
  }
  benchmark::AddCustomContext("device", std::string(properties.name));
  benchmark::RunSpecifiedBenchmarks();
  benchmark::Shutdown();
  return 0;
}
