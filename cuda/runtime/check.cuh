#pragma once
/// Return codes of the CUDA libraries as errors.

#include <cublas_v2.h>
#include <cuda_runtime.h>
#include <cusolverDn.h>

namespace btc::cuda {

/// Text of a failed call; out of memory says what to lower. @param call as written in the source
[[noreturn]] void throw_cuda_error(cudaError_t code, const char* call);
[[noreturn]] void throw_cublas_error(cublasStatus_t code, const char* call);
[[noreturn]] void throw_cusolver_error(cusolverStatus_t code, const char* call);

inline void check(cudaError_t code, const char* call) {
  if (code != cudaSuccess) {
    throw_cuda_error(code, call);
  }
}
inline void check(cublasStatus_t code, const char* call) {
  if (code != CUBLAS_STATUS_SUCCESS) {
    throw_cublas_error(code, call);
  }
}
inline void check(cusolverStatus_t code, const char* call) {
  if (code != CUSOLVER_STATUS_SUCCESS) {
    throw_cusolver_error(code, call);
  }
}

}  // namespace btc::cuda

/// Makes a call of the CUDA runtime, cuBLAS or cuSOLVER and throws what it reports.
#define BTC_CUDA(call) ::btc::cuda::check((call), #call)
