#pragma once
/// Nearest codeword (Hamming) of every one of the 2^v patterns: a min-plus transform over the
/// v-cube. A pattern's key is distance << 24 | label, 0 | label at the codewords and far elsewhere;
/// for each bit b it becomes the smaller of itself and the key of p ^ 1<<b plus one step. After all
/// bits it is the minimum over the codewords k of (distance, k): ties go to the lowest label,
/// whatever the order of the bits. Bits are taken in passes, each over tiles that fit shared
/// memory.

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "common/pattern.hpp"
#include "cuda/host_device.hpp"

namespace btc::cuda {

inline constexpr int kLabelBits = 24;
/// One flip.
inline constexpr std::uint32_t kFlipStep = std::uint32_t{1} << kLabelBits;
inline constexpr std::uint32_t kLabelMask = kFlipStep - 1;
/// Every byte of a key that is farther than any true one; it stands 250 flips away, and one more
/// does not overflow.
inline constexpr int kFarByte = 250;
/// Keys of a tile: 16 KiB.
inline constexpr int kTileBits = 12;

/// One pass over the cube: bits [first, first + bits) of every pattern. A tile holds all values of
/// these bits and of the `carried` lowest ones, which keep neighbours in memory together.
struct CubePass {
  int vector_length = 0;
  int first = 0;
  int bits = 0;
  int carried = 0;  ///< at most `first`

  /// log2 of a tile's keys.
  [[nodiscard]] BTC_HD constexpr int tile_bits() const { return carried + bits; }
  [[nodiscard]] BTC_HD constexpr std::size_t tiles() const {
    return std::size_t{1} << (vector_length - tile_bits());
  }
  /// The pattern of a tile's slot. Each pattern is met once; a slot's bits `carried` and above are
  /// the pattern's bits `first` and above.
  [[nodiscard]] BTC_HD constexpr Pattern pattern(Pattern tile, Pattern slot) const {
    const int between = first - carried;
    const Pattern low = slot & ((Pattern{1} << carried) - 1);
    const Pattern below = tile & ((Pattern{1} << between) - 1);
    return ((tile >> between) << (first + bits)) | ((slot >> carried) << first) |
           (below << carried) | low;
  }
};

/// Passes that take each of the v bits once. The first is contiguous; the others take at most 8
/// bits, so that at least 16 neighbours in memory stay together.
inline std::vector<CubePass> cube_passes(int vector_length) {
  constexpr int kMostBits = 8;
  const int contiguous = std::min(vector_length, kTileBits);
  std::vector<CubePass> passes = {{vector_length, 0, contiguous, 0}};
  const int rest = vector_length - contiguous;
  const int count = (rest + kMostBits - 1) / kMostBits;
  for (int i = 0, first = contiguous; i < count; ++i) {
    const int bits = (vector_length - first + count - i - 1) / (count - i);
    passes.push_back({vector_length, first, bits, kTileBits - bits});
    first += bits;
  }
  return passes;
}

/// Neighbouring keys, which a member moves at once. Every pass keeps four of them together.
struct alignas(16) KeyQuad {
  std::array<std::uint32_t, 4> key;
};

BTC_HD inline KeyQuad& quad(std::uint32_t* keys) { return *reinterpret_cast<KeyQuad*>(keys); }

/// One bit for two patterns that differ in it.
BTC_HD inline void relax_pair(std::uint32_t& a, std::uint32_t& b) {
  const std::uint32_t by_b = b + kFlipStep;
  const std::uint32_t by_a = a + kFlipStep;
  a = a < by_b ? a : by_b;
  b = b < by_a ? b : by_a;
}

/// Two bits for four patterns; bit i of a position in the quad is the i-th of them.
BTC_HD inline void relax_quad(KeyQuad& q) {
  relax_pair(q.key[0], q.key[1]);
  relax_pair(q.key[2], q.key[3]);
  relax_pair(q.key[0], q.key[2]);
  relax_pair(q.key[1], q.key[3]);
}

/// `i` with `count` zeros put in at bit b.
BTC_HD constexpr Pattern spread_at(Pattern i, int b, int count) {
  const Pattern low = i & ((Pattern{1} << b) - 1);
  return ((i ^ low) << count) | low;
}

/// Bits b and b + 1 of a tile's slots, or only b where it is the last.
template <class Team>
BTC_HD void relax_bits(const Team& team, int b, int tile_bits, std::uint32_t* tile_keys) {
  const Pattern slots = Pattern{1} << tile_bits;
  const Pattern step = Pattern{1} << b;
  const auto size = static_cast<Pattern>(team.size());
  if (b + 1 == tile_bits) {
    for (auto i = static_cast<Pattern>(team.rank()); i < slots / 2; i += size) {
      std::uint32_t* const key = tile_keys + spread_at(i, b, 1);
      relax_pair(key[0], key[step]);
    }
    return;
  }
  for (auto i = static_cast<Pattern>(team.rank()); i < slots / 4; i += size) {
    std::uint32_t* const key = tile_keys + spread_at(i, b, 2);
    KeyQuad q{{key[0], key[step], key[2 * step], key[3 * step]}};
    relax_quad(q);
    for (std::size_t j = 0; j < q.key.size(); ++j) {
      key[j * step] = q.key[j];
    }
  }
}

/// Takes the bits of a pass in one tile. Other teams work on the other tiles.
/// @param keys  [2^v], read and overwritten, on a boundary of 16 bytes as `tile_keys` is
/// @param kept  bits of a key that are stored: all, or in the last pass kLabelMask
/// @param tile_keys  [2^tile_bits], shared by the team
template <class Team>
BTC_HD void relax_tile(const Team& team, const CubePass& pass, Pattern tile, std::uint32_t* keys,
                       std::uint32_t kept, std::uint32_t* tile_keys) {
  const Pattern slots = Pattern{1} << pass.tile_bits();
  const Pattern begin = 4 * static_cast<Pattern>(team.rank());
  const Pattern stride = 4 * static_cast<Pattern>(team.size());
  const bool contiguous = pass.carried == 0;
  for (Pattern slot = begin; slot < slots; slot += stride) {
    KeyQuad q = quad(keys + pass.pattern(tile, slot));
    if (contiguous) {
      relax_quad(q);
    }
    quad(tile_keys + slot) = q;
  }
  for (int b = contiguous ? 2 : pass.carried; b < pass.tile_bits(); b += 2) {
    team.sync();
    relax_bits(team, b, pass.tile_bits(), tile_keys);
  }
  team.sync();
  for (Pattern slot = begin; slot < slots; slot += stride) {
    KeyQuad q = quad(tile_keys + slot);
    for (std::uint32_t& key : q.key) {
      key &= kept;
    }
    quad(keys + pass.pattern(tile, slot)) = q;
  }
}

}  // namespace btc::cuda
