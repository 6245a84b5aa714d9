#pragma once
/// Kernel launches on a context's stream.

#include <cstddef>

#include "common/matrix.hpp"
#include "cuda/runtime/context.cuh"

namespace btc::cuda {

/// Blocks, threads of each, and bytes of dynamic shared memory of each.
struct LaunchShape {
  std::size_t blocks = 1;
  int threads = 256;
  std::size_t shared_bytes = 0;
};

/// Starts `kernel` and checks that it started; no blocks are no launch. More than 48 KiB of shared
/// memory are asked for.
template <typename... Parameters, typename... Arguments>
void launch(const Context& context, LaunchShape shape, void (*kernel)(Parameters...),
            Arguments&&... arguments) {
  constexpr std::size_t kWithoutAsking = std::size_t{48} << 10U;
  if (shape.blocks == 0) {
    return;
  }
  if (shape.shared_bytes > kWithoutAsking) {
    BTC_CUDA(cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize,
                                  narrow<int>(shape.shared_bytes)));
  }
  kernel<<<narrow<unsigned>(shape.blocks), narrow<unsigned>(shape.threads), shape.shared_bytes,
           context.stream()>>>(static_cast<Parameters>(arguments)...);
  BTC_CUDA(cudaGetLastError());
}

}  // namespace btc::cuda
