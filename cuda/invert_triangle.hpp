#pragma once
/// The inverse of a lower triangular matrix [m, m], in place, in two steps. First every diagonal
/// tile of kInverseTile rows, all at once. Then levels s = 64, 128, 256, ...: two neighbouring
/// inverse blocks A^-1 [s, s] and B^-1 [r, r] with the block C [r, s] below the first and left of
/// the second become the inverse block of s + r rows,
///   [A  0]^-1   [     A^-1         0  ]
///   [C  B]    = [-B^-1 C A^-1    B^-1 ],
/// two products per pair. Only the last pair of a level may have r < s.
///
/// Arrays are column-major. Blocks are read whole, so zeros have to lie above the diagonal.

#include <algorithm>
#include <cstddef>

#include "common/matrix.hpp"
#include "cuda/host_device.hpp"

namespace btc::cuda {

/// Rows of a diagonal tile.
inline constexpr std::size_t kInverseTile = 64;

/// Doubles of shared memory of `invert_tile`.
inline constexpr std::size_t kInverseTileRoom = kInverseTile * (kInverseTile + 1);

/// L := L^-1 of one diagonal tile, zeros above its diagonal: forward substitution, one row per
/// step. The lower triangle of `room` holds L with the reciprocal diagonal, the part to the right
/// of its diagonal the inverse X, where X(i, j) lies at (j, i + 1), not yet divided by L(i, i).
/// @param l column-major [n, n], `stride` from column to column; @param n up to kInverseTile
template <class Team>
BTC_HD void invert_tile(const Team& team, double* room, double* l, std::size_t stride,
                        std::size_t n) {
  constexpr std::size_t kTile = kInverseTile;
  const auto rank = static_cast<std::size_t>(team.rank());
  const auto size = static_cast<std::size_t>(team.size());
  const auto x = [room](std::size_t i, std::size_t j) -> double& {
    return room[j * (kTile + 1) + i + 1];
  };
  const auto lower = [room](std::size_t i, std::size_t j) -> double& {
    return room[i * (kTile + 1) + j];
  };
  for (std::size_t e = rank; e < kTile * n; e += size) {
    const std::size_t i = e % kTile;
    const std::size_t j = e / kTile;
    if (i < n && i >= j) {
      const double value = l[j * stride + i];
      lower(i, j) = i == j ? 1.0 / value : value;
      x(i, j) = i == j ? 1.0 : 0.0;
    }
  }
  team.sync();
  for (std::size_t row = 0; row + 1 < n; ++row) {
    for (std::size_t e = rank; e < kTile * (row + 1); e += size) {
      const std::size_t i = e % kTile;
      const std::size_t j = e / kTile;
      if (i > row && i < n) {
        x(i, j) -= lower(i, row) * (x(row, j) * lower(row, row));
      }
    }
    team.sync();
  }
  for (std::size_t e = rank; e < kTile * n; e += size) {
    const std::size_t i = e % kTile;
    const std::size_t j = e / kTile;
    if (i < n) {
      l[j * stride + i] = i >= j ? x(i, j) * lower(i, i) : 0.0;
    }
  }
}

/// A block of one of the two arrays of the inversion: element (i, j) of number b lies at
/// `begin + b * step + j * stride + i`.
struct InverseBlock {
  std::size_t begin = 0;
  std::size_t stride = 0;
  std::size_t step = 0;
};

/// out := left right, or out := -left right, for each of `count` independent triples of blocks:
/// left [rows, depth], right [depth, columns].
struct InverseProduct {
  std::size_t count = 0;
  std::size_t rows = 0;
  std::size_t columns = 0;
  std::size_t depth = 0;
  InverseBlock left;
  InverseBlock right;
  InverseBlock out;
  /// C A^-1: left and right lie in the matrix, out in the workspace. Else -B^-1 of the matrix times
  /// the workspace, into the matrix.
  bool into_workspace = false;
};

/// Doubles of the workspace: the products of one level.
inline std::size_t inverse_workspace(std::size_t m) {
  std::size_t most = 0;
  for (std::size_t s = kInverseTile; s < m; s *= 2) {
    const std::size_t pairs = m / (2 * s);
    const std::size_t rest = m % (2 * s);
    most = std::max(most, pairs * s * s + (rest > s ? (rest - s) * s : 0));
  }
  return most;
}

/// Least width of a strip: narrower ones would not fill the device.
inline constexpr std::size_t kInverseStrip = 1024;

/// Columns of A^-1, or rows of B^-1, of one product, about a quarter of all `size`: what a strip
/// has above (right of) its diagonal block is left out.
inline std::size_t strip_width(std::size_t size, std::size_t least) {
  return std::max(least, ceil_div(ceil_div(size, 4), kInverseTile) * kInverseTile);
}

/// The products of `pairs` pairs of blocks, the first of which starts at row `begin`; their results
/// lie from `workspace` on.
template <typename Multiply>
void multiply_pairs(std::size_t m, std::size_t begin, std::size_t pairs, std::size_t s,
                    std::size_t r, std::size_t workspace, std::size_t least,
                    const Multiply& multiply) {
  const std::size_t step = 2 * s * (m + 1);
  const std::size_t a = begin * (m + 1);
  const std::size_t b = (begin + s) * (m + 1);
  const std::size_t c = begin * m + begin + s;
  const std::size_t across = strip_width(s, least);
  for (std::size_t first = 0; first < s; first += across) {
    multiply(InverseProduct{.count = pairs,
                            .rows = r,
                            .columns = std::min(across, s - first),
                            .depth = s - first,
                            .left = {c + first * m, m, step},
                            .right = {a + first * (m + 1), m, step},
                            .out = {workspace + first * r, r, r * s},
                            .into_workspace = true});
  }
  const std::size_t down = strip_width(r, least);
  for (std::size_t first = 0; first < r; first += down) {
    const std::size_t rows = std::min(down, r - first);
    multiply(InverseProduct{.count = pairs,
                            .rows = rows,
                            .columns = s,
                            .depth = first + rows,
                            .left = {b + first, m, step},
                            .right = {workspace, r, r * s},
                            .out = {c + first, m, step},
                            .into_workspace = false});
  }
}

/// Calls `multiply` for each product that the inverse diagonal tiles become L^-1 with, in order.
/// @param least width of a strip
template <typename Multiply>
void multiply_levels(std::size_t m, std::size_t least, const Multiply& multiply) {
  for (std::size_t s = kInverseTile; s < m; s *= 2) {
    const std::size_t pairs = m / (2 * s);
    const std::size_t rest = m % (2 * s);
    if (pairs > 0) {
      multiply_pairs(m, 0, pairs, s, s, 0, least, multiply);
    }
    if (rest > s) {
      multiply_pairs(m, pairs * 2 * s, 1, s, rest - s, pairs * s * s, least, multiply);
    }
  }
}

}  // namespace btc::cuda
