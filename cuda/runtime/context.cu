#include "common/error.hpp"
#include "cuda/runtime/context.cuh"

namespace btc::cuda {
namespace {

/// With a workspace of its own cuBLAS gives equal bits from run to run, also beside other streams.
constexpr std::size_t kBlasWorkspace = std::size_t{32} << 20U;

int checked_device(int device) {
  int count = 0;
  const cudaError_t code = cudaGetDeviceCount(&count);
  BTC_REQUIRE(BackendUnavailable, code == cudaSuccess, "no CUDA device: ", cudaGetErrorString(code),
              "; choose the cpu backend");
  BTC_REQUIRE(BackendUnavailable, device >= 0 && device < count, "CUDA device ", device,
              " does not exist; this process sees ", count);
  return device;
}

/// Freed memory stays with the process, so that a session's allocations cost next to nothing. What
/// one stream has freed and may still work on is not given to another, which would have to wait.
void keep_freed_memory(int device) {
  cudaMemPool_t pool = nullptr;
  BTC_CUDA(cudaDeviceGetDefaultMemPool(&pool, device));
  std::size_t all = ~std::size_t{0};
  BTC_CUDA(cudaMemPoolSetAttribute(pool, cudaMemPoolAttrReleaseThreshold, &all));
  int no = 0;
  BTC_CUDA(cudaMemPoolSetAttribute(pool, cudaMemPoolReuseAllowInternalDependencies, &no));
}

}  // namespace

Context::Context(int device) : device_(checked_device(device)) {
  make_current();
  keep_freed_memory(device_);
  BTC_CUDA(cudaDeviceGetAttribute(&multiprocessors_, cudaDevAttrMultiProcessorCount, device_));
  BTC_CUDA(cudaStreamCreateWithFlags(&stream_, cudaStreamNonBlocking));
  BTC_CUDA(cublasCreate(&blas_));
  BTC_CUDA(cudaMalloc(&blas_workspace_, kBlasWorkspace));
  BTC_CUDA(cublasSetStream(blas_, stream_));
  BTC_CUDA(cublasSetWorkspace(blas_, blas_workspace_, kBlasWorkspace));
  BTC_CUDA(cublasSetMathMode(blas_, CUBLAS_DEFAULT_MATH));  // no TF32
  BTC_CUDA(cusolverDnCreate(&solver_));
  BTC_CUDA(cusolverDnSetStream(solver_, stream_));
}

Context::~Context() {
  cusolverDnDestroy(solver_);
  cublasDestroy(blas_);
  cudaFree(blas_workspace_);
  cudaStreamDestroy(stream_);
}

}  // namespace btc::cuda
