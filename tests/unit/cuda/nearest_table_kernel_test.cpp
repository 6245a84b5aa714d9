/// The device's table of nearest codewords: its tiles, and its whole transform on the host.
#include <gmock/gmock.h>

#include <algorithm>
#include <bit>

#include "backend/backend.hpp"
#include "common/rng.hpp"
#include "cuda/kmeans/nearest_table.hpp"
#include "support/host_team.hpp"

namespace btc::cuda {
namespace {

/// A team of one that needs no thread.
struct Alone {
  [[nodiscard]] static int rank() { return 0; }
  [[nodiscard]] static int size() { return 1; }
  static void sync() {}
};

std::vector<Pattern> random_patterns(int v, std::size_t n, Rng& rng) {
  std::vector<Pattern> patterns(n);
  for (auto& pattern : patterns) {
    pattern = static_cast<Pattern>(rng.below(std::uint64_t{1} << v));
  }
  return patterns;
}

/// What the device does before the passes; in any order.
std::vector<std::uint32_t> placed_keys(const std::vector<Pattern>& codewords, int v) {
  std::vector<std::uint32_t> keys(std::size_t{1} << v, std::uint32_t{kFarByte} * 0x01010101U);
  for (std::uint32_t k = 0; k < codewords.size(); ++k) {
    keys[codewords[k]] = std::min(keys[codewords[k]], k);
  }
  return keys;
}

template <typename RelaxTile>
std::vector<std::uint32_t> transform(const std::vector<Pattern>& codewords, int v,
                                     RelaxTile relax) {
  std::vector<std::uint32_t> keys = placed_keys(codewords, v);
  const std::vector<CubePass> passes = cube_passes(v);
  for (std::size_t i = 0; i < passes.size(); ++i) {
    const std::uint32_t kept = i + 1 == passes.size() ? kLabelMask : ~std::uint32_t{0};
    std::vector<std::uint32_t> tile_keys(std::size_t{1} << passes[i].tile_bits());
    for (Pattern tile = 0; tile < passes[i].tiles(); ++tile) {
      relax(passes[i], tile, keys.data(), kept, tile_keys.data());
    }
  }
  return keys;
}

std::vector<std::uint32_t> labels_by_one(const std::vector<Pattern>& codewords, int v) {
  return transform(
      codewords, v,
      [](const CubePass& pass, Pattern tile, std::uint32_t* keys, std::uint32_t kept,
         std::uint32_t* tile_keys) { relax_tile(Alone(), pass, tile, keys, kept, tile_keys); });
}

std::vector<std::uint32_t> reference_labels(const std::vector<Pattern>& codewords, int v,
                                            const std::vector<Pattern>& patterns) {
  std::vector<std::uint32_t> expected(patterns.size());
  make_reference_backend()->open_codewords(codewords, v)->nearest(patterns, expected);
  return expected;
}

TEST(NearestTableKernel, PassesTakeEachBitOnceInTilesThatFit) {
  for (int v = kMinVectorLength; v <= kMaxVectorLength; ++v) {
    int next = 0;
    for (const CubePass& pass : cube_passes(v)) {
      EXPECT_EQ(pass.vector_length, v);
      EXPECT_EQ(pass.first, next) << v;
      EXPECT_GT(pass.bits, 0) << v;
      EXPECT_GE(pass.carried, 0) << v;
      EXPECT_LE(pass.carried, pass.first) << v;
      EXPECT_TRUE(pass.first == 0 ? pass.bits >= 2 : pass.carried >= 4) << "quads, v " << v;
      EXPECT_LE(pass.tile_bits(), std::min(v, kTileBits)) << v;
      next += pass.bits;
    }
    EXPECT_EQ(next, v);
  }
}

TEST(NearestTableKernel, TilesCoverEachPatternOnce) {
  for (int v = kMinVectorLength; v <= kMaxVectorLength; ++v) {
    for (const CubePass& pass : cube_passes(v)) {
      std::vector<std::uint8_t> met(std::size_t{1} << v, 0);
      const Pattern slots = Pattern{1} << pass.tile_bits();
      for (Pattern tile = 0; tile < pass.tiles(); ++tile) {
        for (Pattern slot = 0; slot < slots; ++slot) {
          ASSERT_LT(pass.pattern(tile, slot), met.size());
          ++met[pass.pattern(tile, slot)];
        }
      }
      EXPECT_TRUE(std::all_of(met.begin(), met.end(), [](std::uint8_t n) { return n == 1; })) << v;
    }
  }
}

// Slots that differ in bit carried + i hold patterns that differ in bit first + i.
TEST(NearestTableKernel, BitsOfASlotAreBitsOfItsPattern) {
  for (int v = kMinVectorLength; v <= kMaxVectorLength; ++v) {
    for (const CubePass& pass : cube_passes(v)) {
      const auto last_tile = static_cast<Pattern>(pass.tiles() - 1);
      for (int i = 0; i < pass.bits; ++i) {
        for (const Pattern tile : {Pattern{0}, last_tile / 2, last_tile}) {
          const Pattern slot = spread_at(5U % (1U << (pass.tile_bits() - 1)), pass.carried + i, 1);
          EXPECT_EQ(pass.pattern(tile, slot) ^
                        pass.pattern(tile, slot | (Pattern{1} << (pass.carried + i))),
                    Pattern{1} << (pass.first + i));
        }
      }
    }
  }
}

TEST(NearestTableKernel, LabelsAreTheReferencesForEveryVectorLength) {
  for (int v = kMinVectorLength; v <= kMaxVectorLength; ++v) {
    SCOPED_TRACE(v);
    Rng rng(derive_seed(1, "table", static_cast<std::uint64_t>(v)));
    std::vector<Pattern> codewords = random_patterns(v, 1 + rng.below(300), rng);
    codewords.insert(codewords.end(), codewords.begin(), codewords.end());
    const std::vector<std::uint32_t> labels = labels_by_one(codewords, v);
    std::vector<Pattern> asked;
    if (v <= 12) {
      for (Pattern p = 0; p < labels.size(); ++p) {
        asked.push_back(p);
      }
    } else {
      asked = random_patterns(v, 2000, rng);
    }
    const std::vector<std::uint32_t> expected = reference_labels(codewords, v, asked);
    for (std::size_t i = 0; i < asked.size(); ++i) {
      ASSERT_EQ(labels[asked[i]], expected[i]) << "pattern " << asked[i];
    }
  }
}

// One codeword, v flips away from its opposite: the far keys never win, and nothing overflows.
TEST(NearestTableKernel, OneCodewordIsTheNearestOfAll) {
  for (const int v : {4, 13, 24}) {
    const std::vector<std::uint32_t> labels = labels_by_one({(Pattern{1} << v) - 1, 0, 0}, v);
    EXPECT_LE(*std::max_element(labels.begin(), labels.end()), 1U);
    const std::vector<std::uint32_t> zeros = labels_by_one({(Pattern{1} << v) / 3}, v);
    EXPECT_EQ(*std::max_element(zeros.begin(), zeros.end()), 0U);
  }
}

// The codewords 0b0001 and 0b1110 are opposite; two flips to both are a tie.
TEST(NearestTableKernel, HighestLabelIsKept) {
  std::vector<Pattern> codewords(std::size_t{1} << kLabelBits, 0b0001);
  codewords.back() = 0b1110;
  const std::vector<std::uint32_t> labels = labels_by_one(codewords, 4);
  for (Pattern p = 0; p < 16; ++p) {
    EXPECT_EQ(labels[p], std::popcount(p ^ 0b0001U) <= 2 ? 0U : kLabelMask) << p;
  }
}

TEST(NearestTableKernel, TeamsOfThreadsMakeTheSameTable) {
  Rng rng(3);
  for (const int v : {4, 5, 9, 13, 14, 15}) {
    for (const int size : {1, 32, 64}) {
      const std::vector<Pattern> codewords = random_patterns(v, 40, rng);
      const std::vector<std::uint32_t> labels =
          transform(codewords, v,
                    [&](const CubePass& pass, Pattern tile, std::uint32_t* keys, std::uint32_t kept,
                        std::uint32_t* tile_keys) {
                      test::run_team(size, [&](const test::HostTeam& team) {
                        relax_tile(team, pass, tile, keys, kept, tile_keys);
                      });
                    });
      EXPECT_EQ(labels, labels_by_one(codewords, v)) << v;
    }
  }
}

}  // namespace
}  // namespace btc::cuda
