#pragma once
/// Uniform levels <-> bytes: fields of `bits` bits, every row padded with 0 to whole bytes.

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "common/matrix.hpp"
#include "pack/tensor_origin.hpp"

namespace btc {

/// @param levels each below 2^bits
std::vector<std::uint8_t> encode_levels(const Matrix<std::uint8_t>& levels, std::size_t bits);

/// @param bytes of [rows, ceil(count * bits / 8)]
/// @throws FormatError for pad bits that are not 0
Matrix<std::uint8_t> decode_levels(std::span<const std::byte> bytes, std::size_t rows,
                                   std::size_t count, std::size_t bits, const TensorOrigin& origin);

}  // namespace btc
