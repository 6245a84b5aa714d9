#pragma once
/// Operands of the matrix instructions: every type has 8 words of 32 bits along k in each row of A
/// and column of B, and they lie in the registers of a warp alike.

#include <cuda_fp16.h>

#include <bit>
#include <cstdint>
#include <cstring>
#include <random>
#include <type_traits>

#include "bench/cuda/probe/probe.cuh"

namespace btc::probe {

inline constexpr int kTileWords = 8;

/// What one word of A and B adds to a sum; `kDepth` elements are 8 words.
struct AndPopc {
  using Sum = std::int32_t;
  static constexpr int kDepth = 256;
  static Sum dot(std::uint32_t a, std::uint32_t b) { return std::popcount(a & b); }
};
struct XorPopc {
  using Sum = std::int32_t;
  static constexpr int kDepth = 256;
  static Sum dot(std::uint32_t a, std::uint32_t b) { return std::popcount(a ^ b); }
};
struct Int8Dot {
  using Sum = std::int32_t;
  static constexpr int kDepth = 32;
  static Sum dot(std::uint32_t a, std::uint32_t b) {
    Sum sum = 0;
    for (unsigned byte = 0; byte < 4; ++byte) {
      sum += static_cast<std::int8_t>(a >> (8 * byte)) * static_cast<std::int8_t>(b >> (8 * byte));
    }
    return sum;
  }
};
struct Fp16Dot {
  using Sum = float;
  static constexpr int kDepth = 16;
  static Sum dot(std::uint32_t a, std::uint32_t b) {
    __half2 x;
    __half2 y;
    std::memcpy(&x, &a, sizeof x);
    std::memcpy(&y, &b, sizeof y);
    return __low2float(x) * __low2float(y) + __high2float(x) * __high2float(y);
  }
};

/// Random words; those of halves are pairs of integers of -4 .. 4, whose sums are exact.
template <typename Op>
std::vector<std::uint32_t> random_words(std::size_t count, unsigned seed) {
  std::mt19937 engine(seed);
  std::vector<std::uint32_t> words(count);
  for (auto& word : words) {
    word = static_cast<std::uint32_t>(engine());
    if constexpr (std::is_base_of_v<Fp16Dot, Op>) {
      const __half2 pair =
          __floats2half2_rn(static_cast<float>(static_cast<int>(word % 9) - 4),
                            static_cast<float>(static_cast<int>(word / 9 % 9) - 4));
      std::memcpy(&word, &pair, sizeof word);
    }
  }
  return words;
}

/// @throws std::runtime_error unless out [rows][cols] = A B, of A [rows][8 words], B [cols][8
/// words]
template <typename Op>
void check_tile(const std::vector<typename Op::Sum>& out, const std::vector<std::uint32_t>& a,
                const std::vector<std::uint32_t>& b) {
  const std::size_t cols = b.size() / kTileWords;
  for (std::size_t e = 0; e < out.size(); ++e) {
    typename Op::Sum expected = 0;
    for (std::size_t w = 0; w < kTileWords; ++w) {
      expected += Op::dot(a[e / cols * kTileWords + w], b[e % cols * kTileWords + w]);
    }
    require(out[e] == expected, Op::kName);
  }
}

}  // namespace btc::probe
