#pragma once
/// Settings of the transform that stands in front of every Linear.

#include <array>
#include <string_view>

namespace btc {

enum class TransformKind { kNone, kRandom };
inline constexpr std::array<std::string_view, 2> kTransformKindNames = {"none", "random"};

/// Key `transform`.
struct TransformParams {
  TransformKind kind = TransformKind::kNone;
};

}  // namespace btc
