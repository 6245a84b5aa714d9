#include "common/error.hpp"
#include "cuda/runtime/check.cuh"

namespace btc::cuda {

namespace {

/// @see src/pipeline/device_memory.hpp for what a rank needs
void check_memory(bool enough, const char* call) {
  BTC_REQUIRE(DeviceError, enough, "out of device memory in ", call,
              "; start fewer ranks per device (mpirun -n, Slurm's --ntasks-per-node), lower "
              "compute.threads_per_rank (so many Linears are there at once; --plan prints what a "
              "rank needs), or choose the cpu backend");
}

}  // namespace

void throw_cuda_error(cudaError_t code, const char* call) {
  check_memory(code != cudaErrorMemoryAllocation, call);
  BTC_THROW(DeviceError, call, ": ", cudaGetErrorName(code), ": ", cudaGetErrorString(code));
}

void throw_cublas_error(cublasStatus_t code, const char* call) {
  check_memory(code != CUBLAS_STATUS_ALLOC_FAILED, call);
  BTC_THROW(DeviceError, call, ": ", cublasGetStatusString(code));
}

void throw_cusolver_error(cusolverStatus_t code, const char* call) {
  check_memory(code != CUSOLVER_STATUS_ALLOC_FAILED, call);
  BTC_THROW(DeviceError, call, ": cuSOLVER status ", static_cast<int>(code));
}

}  // namespace btc::cuda
