#pragma once
/// Codeword indices <-> bytes. Fields are least significant bit first; pad bits are 0.

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "common/matrix.hpp"
#include "pack/tensor_origin.hpp"

namespace btc {

/// How indices become bytes.
enum class IndexCoding {
  kFixed,  ///< ceil(log2 c) bits each (at least one), every row padded to whole bytes
  kRadix,  ///< five base-c digits in the fewest bytes, one stream over all rows
};

/// The smaller of the two for codebooks of this size; fixed if they are equal.
IndexCoding index_coding_for(std::size_t codebook_size);

/// Bits of an index in the fixed coding, >= 1.
std::size_t index_width(std::size_t codebook_size);
/// Bytes of a group of five in the radix coding: the smallest R with c^5 <= 2^(8R), >= 1.
std::size_t radix_group_bytes(std::size_t codebook_size);

/// What a stream of indices looks like, apart from its content.
struct IndexStream {
  std::size_t rows = 0;
  std::size_t per_row = 0;
  std::size_t codebook_size = 0;  ///< c, 1..2^20
  IndexCoding coding = IndexCoding::kFixed;
};

/// Shape of the U8 tensor: fixed [rows, ceil(per_row w / 8)], radix [ceil(rows per_row / 5) R].
std::vector<std::int64_t> index_shape(const IndexStream& stream);

/// @param index [rows, per_row], each below the codebook size
std::vector<std::uint8_t> encode_indices(const Matrix<std::uint32_t>& index,
                                         const IndexStream& stream);

/// @param bytes of the shape above
/// @param stored codewords that exist; an index at or above it is refused
/// @throws FormatError also for pad bits or unused digits that are not 0, and values >= c^5
Matrix<std::uint32_t> decode_indices(std::span<const std::byte> bytes, const IndexStream& stream,
                                     std::size_t stored, const TensorOrigin& origin);

}  // namespace btc
