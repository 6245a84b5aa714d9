#include "pack/index_coding.hpp"

#include <algorithm>
#include <bit>
#include <limits>

#include "pack/bit_stream.hpp"

namespace btc {
namespace {

__extension__ using Wide = unsigned __int128;  // nine bytes hold five indices below 21618

constexpr std::size_t kDigits = 5;
constexpr std::size_t kByteBits = 8;
constexpr std::size_t kMaxCodebook = std::size_t{1} << 20U;

void check_stream(const IndexStream& stream) {
  BTC_CHECK(stream.codebook_size >= 1 && stream.codebook_size <= kMaxCodebook, "codebook of ",
            stream.codebook_size);
}

std::vector<std::uint8_t> encode_fixed(const Matrix<std::uint32_t>& index, std::size_t width) {
  BitWriter writer;
  for (std::size_t i = 0; i < index.rows(); ++i) {
    for (const std::uint32_t value : index.row(i)) {
      writer.write(value, width);
    }
    writer.pad(false);
  }
  return writer.take();
}

std::vector<std::uint8_t> encode_radix(const Matrix<std::uint32_t>& index, std::size_t base,
                                       std::size_t group_bytes) {
  const auto& values = index.values();
  std::vector<std::uint8_t> bytes;
  bytes.reserve(ceil_div(values.size(), kDigits) * group_bytes);
  for (std::size_t first = 0; first < values.size(); first += kDigits) {
    Wide word = 0;
    for (std::size_t k = std::min(first + kDigits, values.size()); k > first; --k) {
      word = word * base + values[k - 1];
    }
    for (std::size_t b = 0; b < group_bytes; ++b) {
      bytes.push_back(static_cast<std::uint8_t>(word & 0xffU));
      word >>= kByteBits;
    }
  }
  return bytes;
}

/// Throws for the first index of a run that names no codeword.
void check_index(std::uint32_t value, std::size_t stored, std::size_t byte,
                 const TensorOrigin& origin) {
  if (value >= stored) {
    origin.fail(byte, "index ", value, ", expected < ", stored);
  }
}

Matrix<std::uint32_t> decode_fixed(std::span<const std::byte> bytes, const IndexStream& stream,
                                   std::size_t stored, const TensorOrigin& origin) {
  const std::size_t width = index_width(stream.codebook_size);
  const std::size_t row_bytes = ceil_div(stream.per_row * width, kByteBits);
  Matrix<std::uint32_t> index(stream.rows, stream.per_row);
  for (std::size_t i = 0; i < stream.rows; ++i) {
    BitReader reader(bytes.subspan(i * row_bytes, row_bytes));
    for (std::size_t j = 0; j < stream.per_row; ++j) {
      const std::size_t byte = i * row_bytes + reader.position() / kByteBits;
      index(i, j) = static_cast<std::uint32_t>(reader.read(width));
      check_index(index(i, j), stored, byte, origin);
    }
    if (!reader.rest_is(false)) {
      origin.fail((i + 1) * row_bytes - 1, "pad bits of row ", i, " are set, expected 0");
    }
  }
  return index;
}

/// @tparam Word holds a group's bytes: 64-bit divisions are several times faster than 128-bit ones
template <typename Word>
Matrix<std::uint32_t> decode_radix(std::span<const std::byte> bytes, const IndexStream& stream,
                                   std::size_t stored, const TensorOrigin& origin) {
  const std::size_t group_bytes = radix_group_bytes(stream.codebook_size);
  const Word base = stream.codebook_size;
  Matrix<std::uint32_t> index(stream.rows, stream.per_row);
  auto& values = index.values();
  for (std::size_t first = 0; first < values.size(); first += kDigits) {
    const std::size_t begin = first / kDigits * group_bytes;
    Word word = 0;
    for (std::size_t b = group_bytes; b > 0; --b) {
      word = static_cast<Word>(word << kByteBits) |
             std::to_integer<std::uint8_t>(bytes[begin + b - 1]);
    }
    const std::size_t end = std::min(first + kDigits, values.size());
    for (std::size_t k = first; k < end; ++k) {
      values[k] = static_cast<std::uint32_t>(word % base);
      word /= base;
      check_index(values[k], stored, begin, origin);
    }
    if (word != 0) {
      origin.fail(begin, "value of a group too large or unused digits set, expected ", end - first,
                  " digits to base ", stream.codebook_size);
    }
  }
  return index;
}

}  // namespace

std::size_t index_width(std::size_t codebook_size) {
  return std::max<std::size_t>(1, static_cast<std::size_t>(std::bit_width(codebook_size - 1)));
}

std::size_t radix_group_bytes(std::size_t codebook_size) {
  Wide largest = 1;  // c^5 - 1 is the largest value
  for (std::size_t d = 0; d < kDigits; ++d) {
    largest *= codebook_size;
  }
  --largest;
  std::size_t bytes = 1;
  while ((largest >> (kByteBits * bytes)) != 0) {
    ++bytes;
  }
  return bytes;
}

IndexCoding index_coding_for(std::size_t codebook_size) {
  return kByteBits * radix_group_bytes(codebook_size) < kDigits * index_width(codebook_size)
             ? IndexCoding::kRadix
             : IndexCoding::kFixed;
}

std::vector<std::int64_t> index_shape(const IndexStream& stream) {
  check_stream(stream);
  if (stream.coding == IndexCoding::kFixed) {
    const std::size_t row_bits = stream.per_row * index_width(stream.codebook_size);
    return {narrow<std::int64_t>(stream.rows), narrow<std::int64_t>(ceil_div(row_bits, kByteBits))};
  }
  return {narrow<std::int64_t>(ceil_div(stream.rows * stream.per_row, kDigits) *
                               radix_group_bytes(stream.codebook_size))};
}

std::vector<std::uint8_t> encode_indices(const Matrix<std::uint32_t>& index,
                                         const IndexStream& stream) {
  check_stream(stream);
  BTC_CHECK(index.rows() == stream.rows && index.cols() == stream.per_row, "index [", index.rows(),
            ", ", index.cols(), "], expected [", stream.rows, ", ", stream.per_row, "]");
  for (const std::uint32_t value : index.values()) {
    BTC_CHECK(value < stream.codebook_size, "index ", value, " of ", stream.codebook_size);
  }
  return stream.coding == IndexCoding::kFixed
             ? encode_fixed(index, index_width(stream.codebook_size))
             : encode_radix(index, stream.codebook_size, radix_group_bytes(stream.codebook_size));
}

Matrix<std::uint32_t> decode_indices(std::span<const std::byte> bytes, const IndexStream& stream,
                                     std::size_t stored, const TensorOrigin& origin) {
  check_stream(stream);
  if (stream.coding == IndexCoding::kFixed) {
    return decode_fixed(bytes, stream, stored, origin);
  }
  return radix_group_bytes(stream.codebook_size) <= sizeof(std::uint64_t)
             ? decode_radix<std::uint64_t>(bytes, stream, stored, origin)
             : decode_radix<Wide>(bytes, stream, stored, origin);
}

}  // namespace btc
