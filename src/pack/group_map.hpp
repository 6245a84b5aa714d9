#pragma once
/// The group of each non-salient entry <-> bytes. @see docs/file_formats.md
///
/// Two groups take a bit an entry, three take a trit (five in a byte, the first is the lowest
/// digit, byte <= 242), four take two bits. Every row starts at a byte; pad bits and digits are 0.
/// A sparse map of two groups can instead hold, per row or in one stream, the gaps between the
/// entries of group 1 as Golomb-Rice codes: gap >> k ones, a zero, then the k low bits; a row is
/// padded with ones.

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "common/matrix.hpp"
#include "pack/tensor_origin.hpp"

namespace btc {

/// Bytes of a row of `entries` entries in `groups` (2..4) groups, not Rice-coded.
std::size_t group_map_row_bytes(std::size_t entries, std::size_t groups);

/// @param map [n, e], each entry below `groups`
std::vector<std::uint8_t> encode_group_map(const Matrix<std::uint8_t>& map, std::size_t groups);
/// @param bytes n * group_map_row_bytes(e, groups) of them
/// @throws FormatError for a byte that no writer makes
Matrix<std::uint8_t> decode_group_map(std::span<const std::byte> bytes, std::size_t rows,
                                      std::size_t entries, std::size_t groups,
                                      const TensorOrigin& origin);

inline constexpr std::size_t kMaxRiceParameter = 15;

/// Whether the rows of a Rice-coded map of this width are coded as one long row: two bytes of
/// length and half a byte of padding are much for a short row. Long rows can be decoded side by
/// side.
constexpr bool rice_in_one_stream(std::size_t entries) {
  constexpr std::size_t kLongRow = 2048;
  return entries < kLongRow;
}

/// A Rice-coded map.
struct RiceMap {
  std::size_t parameter = 0;           ///< k, 0..kMaxRiceParameter
  std::vector<std::size_t> row_bytes;  ///< [n]
  std::vector<std::uint8_t> bytes;     ///< the rows one behind the other
};
/// Takes the k with the fewest bytes, the smallest on ties.
/// @param map [n, e] of zeros and ones
RiceMap encode_rice_map(const Matrix<std::uint8_t>& map);
/// @param bytes as long as the sum of `row_bytes`
/// @throws FormatError for an entry behind the end of a row, a cut code, wrong padding
Matrix<std::uint8_t> decode_rice_map(std::span<const std::byte> bytes,
                                     std::span<const std::size_t> row_bytes, std::size_t parameter,
                                     std::size_t entries, const TensorOrigin& origin);

}  // namespace btc
