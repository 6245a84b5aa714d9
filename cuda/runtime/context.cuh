#pragma once
/// One device, one stream and the library handles that work on it. Sessions share it.

#include <cublas_v2.h>
#include <cuda_runtime.h>
#include <cusolverDn.h>

#include <cstddef>
#include <memory>
#include <mutex>

#include "cuda/runtime/check.cuh"

namespace btc::cuda {

/// Everything is ordered by the one stream. Threads of the host may share a context; each call of a
/// session starts with `make_current`.
class Context {
 public:
  /// @throws BackendUnavailable if there is no such device, or its driver is too old
  explicit Context(int device);
  ~Context();
  Context(const Context&) = delete;
  Context& operator=(const Context&) = delete;

  [[nodiscard]] int device() const { return device_; }
  [[nodiscard]] cudaStream_t stream() const { return stream_; }
  /// Hold `use_libraries` while calling them: their handles serve one thread at a time.
  [[nodiscard]] cublasHandle_t blas() const { return blas_; }
  [[nodiscard]] cusolverDnHandle_t solver() const { return solver_; }
  [[nodiscard]] std::unique_lock<std::mutex> use_libraries() const {
    return std::unique_lock(libraries_);
  }
  /// Number of multiprocessors.
  [[nodiscard]] int multiprocessors() const { return multiprocessors_; }
  /// Makes the device current for the calling thread.
  void make_current() const { BTC_CUDA(cudaSetDevice(device_)); }
  /// Waits until the stream is empty.
  void wait() const { BTC_CUDA(cudaStreamSynchronize(stream_)); }

 private:
  int device_;
  int multiprocessors_ = 0;
  cudaStream_t stream_ = nullptr;
  cublasHandle_t blas_ = nullptr;
  cusolverDnHandle_t solver_ = nullptr;
  void* blas_workspace_ = nullptr;
  mutable std::mutex libraries_;
};

}  // namespace btc::cuda
