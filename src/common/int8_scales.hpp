#pragma once
/// Scales as integers of 8 bits, -127 .. 127, times one power of two: fixed point. The scales of a
/// Linear lie close together, so this is finer than an 8-bit float.

#include <algorithm>
#include <cmath>
#include <span>

namespace btc {

inline constexpr float kMaxInt8Scale = 127.0F;
/// The powers of two whose multiples are fp16 values.
inline constexpr int kMinScaleExponent = -24;
inline constexpr int kMaxScaleExponent = 8;

/// The smallest of these powers of two that makes 127 of it reach all `values`; the largest if
/// none.
inline float int8_unit(std::span<const float> values) {
  float largest = 0;
  for (const float value : values) {
    largest = std::max(largest, std::fabs(value));
  }
  int exponent = kMinScaleExponent;
  while (exponent < kMaxScaleExponent && largest > std::ldexp(kMaxInt8Scale, exponent)) {
    ++exponent;
  }
  return std::ldexp(1.0F, exponent);
}

/// To the nearest multiples of their `int8_unit`, ties to even, at most 127 of it. Rounded again
/// they stay what they are.
inline void round_to_int8(std::span<float> values) {
  const float unit = int8_unit(values);
  for (float& value : values) {
    value = unit * std::clamp(std::nearbyint(value / unit), -kMaxInt8Scale, kMaxInt8Scale);
  }
}

}  // namespace btc
