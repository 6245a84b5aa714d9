#pragma once
/// Times of work on a context's stream.

#include "cuda/runtime/context.cuh"

namespace btc::bench {

/// Seconds between two events around what `call` starts.
template <typename Call>
double event_seconds(const cuda::Context& context, Call call) {
  cudaEvent_t begin = nullptr;
  cudaEvent_t end = nullptr;
  BTC_CUDA(cudaEventCreate(&begin));
  BTC_CUDA(cudaEventCreate(&end));
  BTC_CUDA(cudaEventRecord(begin, context.stream()));
  call();
  BTC_CUDA(cudaEventRecord(end, context.stream()));
  BTC_CUDA(cudaEventSynchronize(end));
  float ms = 0.0F;
  BTC_CUDA(cudaEventElapsedTime(&ms, begin, end));
  BTC_CUDA(cudaEventDestroy(begin));
  BTC_CUDA(cudaEventDestroy(end));
  return static_cast<double>(ms) * 1e-3;
}

}  // namespace btc::bench
