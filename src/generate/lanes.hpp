#pragma once
/// 16 floats side by side, which the compiler keeps in vector registers whatever the instruction
/// set. Loads and stores need no alignment.

#include <cstddef>
#include <cstdint>
#include <cstring>

namespace btc {

inline constexpr std::size_t kLanes = 16;
using Lanes __attribute__((vector_size(kLanes * sizeof(float)))) = float;
using LaneInts __attribute__((vector_size(kLanes * sizeof(std::int32_t)))) = std::int32_t;

inline Lanes load_lanes(const float* from) {
  Lanes lanes;
  std::memcpy(&lanes, from, sizeof lanes);
  return lanes;
}

inline void store_lanes(float* to, Lanes lanes) { std::memcpy(to, &lanes, sizeof lanes); }

inline Lanes all_lanes(float value) { return Lanes{} + value; }

/// 16 values of two bytes, widened.
inline LaneInts load_halves(const std::uint16_t* from) {
  using Halves __attribute__((vector_size(kLanes * sizeof(std::uint16_t)))) = std::uint16_t;
  Halves halves;
  std::memcpy(&halves, from, sizeof halves);
  return __builtin_convertvector(halves, LaneInts);
}

/// The same bits, read as floats.
inline Lanes as_floats(LaneInts bits) {
  Lanes lanes;
  std::memcpy(&lanes, &bits, sizeof lanes);
  return lanes;
}

inline Lanes bf16_lanes(LaneInts bits) { return as_floats(bits << 16); }

/// fp16 values, all of them finite: exponent and fraction moved to their place in fp32, whose bias
/// is 112 larger. The multiplication is exact, for subnormal numbers too.
inline Lanes fp16_lanes(LaneInts bits) {
  const Lanes magnitude = as_floats((bits & 0x7fff) << 13) * 0x1p112F;
  LaneInts raw;
  std::memcpy(&raw, &magnitude, sizeof raw);
  return as_floats(raw | ((bits & 0x8000) << 16));
}

/// All ones in lane l where bit l is set, else 0.
inline LaneInts lanes_of_bits(std::uint32_t bits) {
  constexpr LaneInts kBit = {1 << 0, 1 << 1, 1 << 2,  1 << 3,  1 << 4,  1 << 5,  1 << 6,  1 << 7,
                             1 << 8, 1 << 9, 1 << 10, 1 << 11, 1 << 12, 1 << 13, 1 << 14, 1 << 15};
  return ((LaneInts{} + static_cast<std::int32_t>(bits)) & kBit) != 0;
}

/// a where the mask is set, else b.
inline Lanes choose(LaneInts mask, Lanes a, Lanes b) { return mask ? a : b; }

}  // namespace btc
