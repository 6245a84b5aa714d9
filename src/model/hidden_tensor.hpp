#pragma once
/// Hidden states as tensors. Private to this module: only `*_torch.cpp` files include it.

#include "model/hidden_states.hpp"

namespace at {
class Tensor;
}

namespace btc {

/// The values [T, hidden] in fp32, where they are.
at::Tensor values_of(const HiddenStates& hidden);

/// Rounds fp32 values [T, hidden] that are at `place`.
HiddenStates rounded(const at::Tensor& values, TorchPlace place);

}  // namespace btc
