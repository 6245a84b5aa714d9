#include "backend/cpu/nearest_table.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>
#include <limits>

namespace btc {
namespace {

constexpr std::size_t kLanes = 8;
constexpr int kLaneBits = 3;
/// Keys of one block fit the second-level cache: 2^17 keys are 512 KiB.
constexpr int kBlockBits = 17;
/// A strided pass combines 2^kRadixBits keys in registers.
constexpr int kRadixBits = 4;
/// Positions of one task of a strided pass.
constexpr std::size_t kSlice = 1024;
/// Larger than any true key, and two more steps do not overflow.
constexpr std::uint32_t kFar = 250U << NearestTable::kLabelBits;

using Lanes = std::uint32_t __attribute__((vector_size(kLanes * sizeof(std::uint32_t))));

inline Lanes load(const std::uint32_t* from) {
  Lanes value;
  std::memcpy(&value, from, sizeof(value));
  return value;
}

inline void store(std::uint32_t* to, Lanes value) { std::memcpy(to, &value, sizeof(value)); }

inline Lanes smaller(Lanes a, Lanes b) { return a < b ? a : b; }

/// The passes of all bits inside one vector.
inline Lanes relax_lanes(Lanes x) {
  x = smaller(x, __builtin_shufflevector(x, x, 1, 0, 3, 2, 5, 4, 7, 6) + NearestTable::kStep);
  x = smaller(x, __builtin_shufflevector(x, x, 2, 3, 0, 1, 6, 7, 4, 5) + NearestTable::kStep);
  return smaller(x, __builtin_shufflevector(x, x, 4, 5, 6, 7, 0, 1, 2, 3) + NearestTable::kStep);
}

/// The passes of `Bits` bits over 2^Bits vectors that lie `stride` keys apart.
template <int Bits>
inline void relax_rows(std::uint32_t* keys, std::size_t stride) {
  constexpr std::size_t kRows = std::size_t{1} << Bits;
  std::array<Lanes, kRows> rows;
#pragma GCC unroll 16
  for (std::size_t r = 0; r < kRows; ++r) {
    rows[r] = load(keys + r * stride);
  }
#pragma GCC unroll 4
  for (std::size_t bit = 1; bit < kRows; bit *= 2) {
#pragma GCC unroll 16
    for (std::size_t r = 0; r < kRows; ++r) {
      if ((r & bit) == 0) {
        const Lanes low = rows[r];
        const Lanes high = rows[r | bit];
        rows[r] = smaller(low, high + NearestTable::kStep);
        rows[r | bit] = smaller(high, low + NearestTable::kStep);
      }
    }
  }
#pragma GCC unroll 16
  for (std::size_t r = 0; r < kRows; ++r) {
    store(keys + r * stride, rows[r]);
  }
}

/// The passes of bits [bit, bit + Bits) at positions [begin, end) below `bit`.
template <int Bits>
void relax_slice(std::uint32_t* keys, std::size_t begin, std::size_t end, int bit) {
  for (std::size_t i = begin; i < end; i += kLanes) {
    relax_rows<Bits>(keys + i, std::size_t{1} << bit);
  }
}

using SlicePass = void (*)(std::uint32_t*, std::size_t, std::size_t, int);
constexpr std::array<SlicePass, kRadixBits> kSlicePass = {relax_slice<1>, relax_slice<2>,
                                                          relax_slice<3>, relax_slice<4>};

/// How many bits the next pass takes so that the passes up to `end` are few and alike.
int radix_bits(int bit, int end) {
  const int passes = (end - bit + kRadixBits - 1) / kRadixBits;
  return (end - bit + passes - 1) / passes;
}

/// All passes of the bits inside a block of 2^block_bits keys, block_bits >= kLaneBits.
void relax_block(std::uint32_t* keys, int block_bits) {
  const std::size_t size = std::size_t{1} << block_bits;
  for (std::size_t i = 0; i < size; i += kLanes) {
    store(keys + i, relax_lanes(load(keys + i)));
  }
  for (int bit = kLaneBits; bit < block_bits;) {
    const int bits = radix_bits(bit, block_bits);
    for (std::size_t group = 0; group < size; group += std::size_t{1} << (bit + bits)) {
      kSlicePass[static_cast<std::size_t>(bits - 1)](keys + group, 0, std::size_t{1} << bit, bit);
    }
    bit += bits;
  }
}

/// The passes of the bits above the blocks, over the whole table.
void relax_across(std::span<std::uint32_t> keys, int vector_length, const Workers& workers) {
  for (int bit = kBlockBits; bit < vector_length;) {
    const int bits = radix_bits(bit, vector_length);
    const std::size_t slices = (std::size_t{1} << bit) / kSlice;
    const std::size_t groups = std::size_t{1} << (vector_length - bit - bits);
    workers.for_blocks(groups * slices, 1, [&](std::size_t task, std::size_t) {
      const std::size_t begin = task % slices * kSlice;
      std::uint32_t* group = keys.data() + (task / slices << (bit + bits));
      kSlicePass[static_cast<std::size_t>(bits - 1)](group, begin, begin + kSlice, bit);
    });
    bit += bits;
  }
}

/// Labels sorted by the block of their codeword; descending inside a block.
struct BlockOrder {
  std::vector<std::uint32_t> labels;
  std::vector<std::size_t> begin;  ///< [blocks + 1]
};

BlockOrder order_by_block(std::span<const Pattern> codewords, int block_bits, std::size_t blocks) {
  BlockOrder order{std::vector<std::uint32_t>(codewords.size()),
                   std::vector<std::size_t>(blocks + 1, 0)};
  for (const Pattern codeword : codewords) {
    ++order.begin[(codeword >> block_bits) + 1];
  }
  for (std::size_t b = 0; b < blocks; ++b) {
    order.begin[b + 1] += order.begin[b];
  }
  std::vector<std::size_t> next(order.begin.begin(), order.begin.end() - 1);
  for (std::size_t k = codewords.size(); k-- > 0;) {
    order.labels[next[codewords[k] >> block_bits]++] = static_cast<std::uint32_t>(k);
  }
  return order;
}

}  // namespace

void NearestTable::build(std::span<const Pattern> codewords, int vector_length,
                         const Workers& workers) {
  const int block_bits = std::min(vector_length, kBlockBits);
  const std::size_t blocks = std::size_t{1} << (vector_length - block_bits);
  const BlockOrder order = order_by_block(codewords, block_bits, blocks);
  keys_.resize(std::size_t{1} << vector_length);
  workers.for_blocks(blocks, 1, [&](std::size_t block, std::size_t) {
    std::uint32_t* keys = keys_.data() + (block << block_bits);
    std::fill_n(keys, std::size_t{1} << block_bits, kFar);
    for (std::size_t i = order.begin[block]; i < order.begin[block + 1]; ++i) {
      keys_[codewords[order.labels[i]]] = order.labels[i];
    }
    relax_block(keys, block_bits);
  });
  relax_across(keys_, vector_length, workers);
}

std::uint32_t nearest_by_scan(Pattern pattern, std::span<const Pattern> codewords) {
  std::uint32_t best = std::numeric_limits<std::uint32_t>::max();
  for (std::uint32_t k = 0; k < codewords.size(); ++k) {
    const auto distance = static_cast<std::uint32_t>(std::popcount(pattern ^ codewords[k]));
    best = std::min(best, (distance << NearestTable::kLabelBits) | k);
  }
  return best & (NearestTable::kStep - 1);
}

}  // namespace btc
