#pragma once
/// The arithmetic that the libraries behind LibTorch are told to use.

namespace btc {

/// Equal bits for every batch: sets MKL_CBWR and CUBLAS_WORKSPACE_CONFIG unless the user did. Call
/// in main, before the first LibTorch call. @see docs/architecture.md, "Reproducible arithmetic"
void choose_math_mode();

}  // namespace btc
