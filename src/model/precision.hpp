#pragma once
/// Number types of the large products in training.

#include <array>
#include <string_view>

namespace btc {

/// The products with a block's Linears, forward and back, and nothing else: `bf16` rounds operands
/// and results to nearest and adds up in fp32. Attention, norms, weights, and gradients as they are
/// summed over sequences, are fp32 in either.
enum class Precision { kFp32, kBf16 };
inline constexpr std::array<std::string_view, 2> kPrecisionNames = {"fp32", "bf16"};

}  // namespace btc
