#include "common/error.hpp"
#include "cuda/runtime/check.cuh"

namespace btc::cuda {

void throw_cuda_error(cudaError_t code, const char* call) {
  BTC_REQUIRE(DeviceError, code != cudaErrorMemoryAllocation, "out of device memory in ", call,
              "; use fewer ranks per device, or the cpu backend for this model");
  BTC_THROW(DeviceError, call, ": ", cudaGetErrorName(code), ": ", cudaGetErrorString(code));
}

void throw_cublas_error(cublasStatus_t code, const char* call) {
  BTC_THROW(DeviceError, call, ": ", cublasGetStatusString(code));
}

void throw_cusolver_error(cusolverStatus_t code, const char* call) {
  BTC_THROW(DeviceError, call, ": cuSOLVER status ", static_cast<int>(code));
}

}  // namespace btc::cuda
