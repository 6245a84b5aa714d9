#pragma once
/// Entries of a row and group, as one thread of many has them. Rows lie in tiles: entry j of 32
/// rows side by side, one row for each lane of a warp, so that the lanes' loads never conflict
/// although their groups differ in size.

#include <cstddef>
#include <cstdint>

#include "common/matrix.hpp"
#include "cuda/host_device.hpp"

namespace btc::cuda {

inline constexpr std::size_t kTileRows = 32;

/// Where entry (i, j) of a matrix of `width` columns lies in tile order; a matrix of n rows takes
/// `tiled_size`.
constexpr std::size_t tile_index(std::size_t i, std::size_t j, std::size_t width) {
  return (i / kTileRows * width + j) * kTileRows + i % kTileRows;
}
constexpr std::size_t tiled_size(std::size_t rows, std::size_t width) {
  return ceil_div(rows, kTileRows) * width * kTileRows;
}

/// Copies one element, number `at` in tile order, from row-major order; zero past the last row.
template <typename T>
BTC_HD void to_tiles(const T* from, std::size_t rows, std::size_t width, std::size_t at, T* to) {
  const std::size_t i = at / (width * kTileRows) * kTileRows + at % kTileRows;
  const std::size_t j = at / kTileRows % width;
  to[at] = i < rows ? from[i * width + j] : T{};
}

/// Planes of an entry's sign byte.
inline constexpr std::uint8_t kFirstPlane = 1;
inline constexpr std::uint8_t kSecondPlane = 2;

/// The entries of one row and group, `kTileRows` elements apart.
struct GroupEntries {
  float* x = nullptr;
  std::uint8_t* planes = nullptr;    ///< sign bits
  std::uint32_t* columns = nullptr;  ///< null: not needed
  std::size_t count = 0;

  BTC_HD double value(std::size_t e) const { return static_cast<double>(x[e * kTileRows]); }
  BTC_HD std::uint8_t& sign_bits(std::size_t e) const { return planes[e * kTileRows]; }
  /// `value` with the sign of the entry in this plane.
  BTC_HD double signed_by(std::uint8_t plane, std::size_t e, double value) const {
    return (sign_bits(e) & plane) != 0 ? value : -value;
  }
  BTC_HD std::uint32_t column(std::size_t e) const { return columns[e * kTileRows]; }
};

/// Entries that are read and worked on together: only their sums wait for each other.
inline constexpr unsigned kEntryBatch = 4;

/// Sum of `term(e)` in ascending order. The zeros past the end change no bit: no sum is -0.
template <typename Term>
BTC_HD double sum_entries(const GroupEntries& entries, const Term& term) {
  const auto count = static_cast<unsigned>(entries.count);
  double sum = 0;
  for (unsigned first = 0; first < count; first += kEntryBatch) {
    double terms[kEntryBatch];
    for (unsigned b = 0; b < kEntryBatch; ++b) {
      terms[b] = term(first + b < count ? first + b : 0U);
    }
    for (unsigned b = 0; b < kEntryBatch; ++b) {
      sum += first + b < count ? terms[b] : 0.0;
    }
  }
  return sum;
}

}  // namespace btc::cuda
