#include "model/math_mode.hpp"

#include <cstdlib>

namespace btc {

void choose_math_mode() {
  const bool avx512 = __builtin_cpu_supports("avx512f") != 0;
  setenv("MKL_CBWR", avx512 ? "AVX512,STRICT" : "AVX2,STRICT", /*overwrite=*/0);
  setenv("CUBLAS_WORKSPACE_CONFIG", ":4096:8", /*overwrite=*/0);
}

}  // namespace btc
