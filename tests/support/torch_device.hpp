#pragma once
/// LibTorch's device for a test.

#include <gtest/gtest.h>

#include <cstdlib>

#include "model/block_forward.hpp"
#include "model/torch_place.hpp"

namespace btc::test {

/// Sets LibTorch up as a run does and finds the first device. Skips the test where there is none:
/// the caller asks `IsSkipped()`.
inline void use_torch_device(int threads, TorchPlace& place) {
  setenv("CUBLAS_WORKSPACE_CONFIG", ":4096:8", /*overwrite=*/0);
  configure_torch(threads);
  ASSERT_TRUE(torch_has_cuda()) << "the CUDA half of LibTorch is linked but not loaded";
  if (torch_device_count() == 0) {
    GTEST_SKIP() << "no CUDA device";
  }
  place = torch_place_of_rank(0);
}

}  // namespace btc::test
