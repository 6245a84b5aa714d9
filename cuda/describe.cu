#include <cuda_runtime.h>

#include <sstream>

#include "backend/backend.hpp"
#include "common/error.hpp"
#include "cuda/comm/communicators.hpp"
#include "cuda/comm/gpu_aware_mpi.hpp"

namespace btc {
namespace {

/// `13.0`; the runtime counts 1000 for a major version and 10 for a minor one.
std::string version_text(int version) {
  return version == 0 ? "(none)" : concat(version / 1000, ".", version % 1000 / 10);
}

std::string availability() {
  try {
    return concat("backend cuda: ", make_cuda_backend(0, 1)->name(), " on device 0\n");
  } catch (const Error& error) {
    return concat("backend cuda: not available: ", error.what(), "\n");
  }
}

std::string describe_libraries() {
  int runtime = 0;
  int driver = 0;
  cudaRuntimeGetVersion(&runtime);
  cudaDriverGetVersion(&driver);
  const std::string nccl = cuda::nccl_version();
  return concat("CUDA: runtime ", version_text(runtime), ", newest that the driver runs ",
                version_text(driver), "\nNCCL: ", nccl.empty() ? "not built in" : nccl,
                "\nGPU-aware MPI: ", cuda::gpu_aware_mpi() ? "yes" : "no", "\n");
}

std::string describe_device(int device) {
  cudaDeviceProp properties{};
  std::size_t free = 0;
  std::size_t total = 0;
  cudaError_t code = cudaGetDeviceProperties(&properties, device);
  code = code == cudaSuccess ? cudaSetDevice(device) : code;
  code = code == cudaSuccess ? cudaMemGetInfo(&free, &total) : code;
  if (code != cudaSuccess) {
    return concat("device ", device, ": ", cudaGetErrorString(code), "\n");
  }
  constexpr double kGibibyte = 1024.0 * 1024.0 * 1024.0;
  return concat("device ", device, ": ", properties.name, ", compute capability ", properties.major,
                ".", properties.minor, ", ", properties.multiProcessorCount, " multiprocessors, ",
                static_cast<double>(free) / kGibibyte, " of ",
                static_cast<double>(total) / kGibibyte, " GiB free\n");
}

/// A row per device: which others it reads directly.
std::string describe_peers(int devices) {
  std::ostringstream text;
  for (int row = 0; row < devices; ++row) {
    text << "peer access of device " << row << ":";
    for (int column = 0; column < devices; ++column) {
      int possible = 0;
      const bool known =
          row != column && cudaDeviceCanAccessPeer(&possible, row, column) == cudaSuccess;
      text << (row == column ? " -" : !known ? " ?" : possible != 0 ? " yes" : " no");
    }
    text << "\n";
  }
  return text.str();
}

}  // namespace

int cuda_device_count() noexcept {
  int count = 0;
  return cudaGetDeviceCount(&count) == cudaSuccess ? count : 0;
}

std::string describe_cuda() {
  const int devices = cuda_device_count();
  std::string text = availability() + describe_libraries() + concat("devices: ", devices, "\n");
  for (int device = 0; device < devices; ++device) {
    text += describe_device(device);
  }
  return devices > 1 ? text + describe_peers(devices) : text;
}

}  // namespace btc
