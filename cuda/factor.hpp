#pragma once
/// Where the elements of H and U lie in the arrays that cuSOLVER works on. A Cholesky factorisation
/// that starts at the last column is an ordinary one of the reversed matrix: with A = P H P = L L^T
/// (P reverses the order), R = P L P is upper triangular, H = R R^T and U = R^-1 = P L^-1 P.
///
/// cuSOLVER's arrays are column-major, so H and U are turned over by tiles.

#include <cmath>
#include <cstddef>

#include "common/matrix.hpp"
#include "cuda/host_device.hpp"

namespace btc::cuda {

/// Rows and columns of a tile that one team turns over.
inline constexpr std::size_t kTurnTile = 32;

/// Floats of shared memory of a tile; rows lie an odd number apart.
inline constexpr std::size_t kTurnTileRoom = kTurnTile * (kTurnTile + 1);

/// Number `number` of the tiles of a square matrix, which has ceil(m / kTurnTile) in a row.
struct TurnTile {
  BTC_HD TurnTile(std::size_t number, std::size_t m)
      : row(number / ceil_div(m, kTurnTile) * kTurnTile),
        column(number % ceil_div(m, kTurnTile) * kTurnTile) {}
  std::size_t row;
  std::size_t column;
};

/// This member's elements of a tile of [m, m]: `body(i, j)`, with i + tile.row and j + tile.column
/// in the matrix; members that lie side by side have columns that do if `by_rows`, else rows.
template <class Team, typename Body>
BTC_HD void for_tile(const Team& team, const TurnTile& tile, std::size_t m, bool by_rows,
                     const Body& body) {
  for (auto e = static_cast<std::size_t>(team.rank()); e < kTurnTile * kTurnTile;
       e += static_cast<std::size_t>(team.size())) {
    const std::size_t i = by_rows ? e / kTurnTile : e % kTurnTile;
    const std::size_t j = by_rows ? e % kTurnTile : e / kTurnTile;
    if (tile.row + i < m && tile.column + j < m) {
      body(i, j);
    }
  }
}

/// A tile of H to A [m, m], both triangles from the upper one of H. @return whether all elements
/// that this member saw are finite; the lower triangle is looked at for that only
template <class Team>
BTC_HD bool reverse_tile(const Team& team, float* room, MatrixView<const float> h, TurnTile tile,
                         double* a) {
  const std::size_t m = h.rows();
  bool finite = true;
  for_tile(team, tile, m, true, [&](std::size_t i, std::size_t j) {
    const float value = h(tile.row + i, tile.column + j);
    finite = finite && std::isfinite(value);
    room[i * (kTurnTile + 1) + j] = value;
  });
  if (tile.row > tile.column) {
    return finite;
  }
  team.sync();
  const auto write = [&](bool by_rows) {
    for_tile(team, tile, m, by_rows, [&](std::size_t i, std::size_t j) {
      const std::size_t row = m - 1 - (tile.row + i);
      const std::size_t column = m - 1 - (tile.column + j);
      if (row >= column) {
        const std::size_t at = by_rows ? row * m + column : column * m + row;
        a[at] = static_cast<double>(room[i * (kTurnTile + 1) + j]);
      }
    });
  };
  write(true);
  write(false);
  return finite;
}

/// A tile of U from L^-1 [m, m]; zero below the diagonal. @return as `reverse_tile`
template <class Team>
BTC_HD bool restore_tile(const Team& team, float* room, const double* l_inverse, TurnTile tile,
                         MatrixView<float> u) {
  const std::size_t m = u.rows();
  bool finite = true;
  if (tile.row <= tile.column) {
    for_tile(team, tile, m, false, [&](std::size_t i, std::size_t j) {
      const std::size_t row = m - 1 - (tile.row + i);
      const std::size_t column = m - 1 - (tile.column + j);
      const float value = row >= column ? static_cast<float>(l_inverse[column * m + row]) : 0.0F;
      finite = finite && std::isfinite(value);
      room[i * (kTurnTile + 1) + j] = value;
    });
    team.sync();
  }
  for_tile(team, tile, m, true, [&](std::size_t i, std::size_t j) {
    u(tile.row + i, tile.column + j) =
        tile.row <= tile.column ? room[i * (kTurnTile + 1) + j] : 0.0F;
  });
  return finite;
}

}  // namespace btc::cuda
