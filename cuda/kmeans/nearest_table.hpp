#pragma once
/// Nearest codeword (Hamming) of every one of the 2^v patterns: a min-plus transform over the
/// v-cube. A pattern's key is distance << 24 | label, 0 | label at the codewords and far elsewhere;
/// for each bit b it becomes the smaller of itself and the key of p ^ 1<<b plus one step. After all
/// bits it is the minimum over the codewords k of (distance, k): ties go to the lowest label,
/// whatever the order of the bits. Bits are taken in passes, each over tiles that fit shared
/// memory.

#include <algorithm>
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

/// Slot of the pair's member without bit b; the other one is this | 1 << b.
BTC_HD constexpr Pattern pair_slot(Pattern pair, int b) {
  const Pattern low = pair & ((Pattern{1} << b) - 1);
  return ((pair ^ low) << 1) | low;
}

/// Takes the bits of a pass in one tile. Other teams work on the other tiles.
/// @param keys  [2^v], read and overwritten
/// @param kept  bits of a key that are stored: all, or in the last pass kLabelMask
/// @param tile_keys  [2^tile_bits], shared by the team
template <class Team>
BTC_HD void relax_tile(const Team& team, const CubePass& pass, Pattern tile, std::uint32_t* keys,
                       std::uint32_t kept, std::uint32_t* tile_keys) {
  const Pattern slots = Pattern{1} << pass.tile_bits();
  const auto rank = static_cast<Pattern>(team.rank());
  const auto size = static_cast<Pattern>(team.size());
  for (Pattern slot = rank; slot < slots; slot += size) {
    tile_keys[slot] = keys[pass.pattern(tile, slot)];
  }
  for (int b = pass.carried; b < pass.tile_bits(); ++b) {
    team.sync();
    for (Pattern pair = rank; pair < slots / 2; pair += size) {
      const Pattern slot = pair_slot(pair, b);
      const Pattern other = slot | (Pattern{1} << b);
      const std::uint32_t low = tile_keys[slot];
      const std::uint32_t high = tile_keys[other];
      tile_keys[slot] = low < high + kFlipStep ? low : high + kFlipStep;
      tile_keys[other] = high < low + kFlipStep ? high : low + kFlipStep;
    }
  }
  team.sync();
  for (Pattern slot = rank; slot < slots; slot += size) {
    keys[pass.pattern(tile, slot)] = tile_keys[slot] & kept;
  }
}

}  // namespace btc::cuda
