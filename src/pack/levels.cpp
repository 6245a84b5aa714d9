#include "pack/levels.hpp"

#include "pack/bit_stream.hpp"

namespace btc {

std::vector<std::uint8_t> encode_levels(const Matrix<std::uint8_t>& levels, std::size_t bits) {
  BitWriter writer;
  for (std::size_t i = 0; i < levels.rows(); ++i) {
    for (const std::uint8_t level : levels.row(i)) {
      BTC_CHECK((level >> bits) == 0, "level ", static_cast<int>(level), " of ", bits, " bits");
      writer.write(level, bits);
    }
    writer.pad(false);
  }
  return writer.take();
}

Matrix<std::uint8_t> decode_levels(std::span<const std::byte> bytes, std::size_t rows,
                                   std::size_t count, std::size_t bits,
                                   const TensorOrigin& origin) {
  const std::size_t row_bytes = ceil_div(count * bits, 8);
  Matrix<std::uint8_t> levels(rows, count);
  for (std::size_t i = 0; i < rows; ++i) {
    BitReader reader(bytes.subspan(i * row_bytes, row_bytes));
    for (std::uint8_t& level : levels.row(i)) {
      level = static_cast<std::uint8_t>(reader.read(bits));
    }
    if (!reader.rest_is(false)) {
      origin.fail((i + 1) * row_bytes - 1, "pad bits of row ", i, " are set, expected 0");
    }
  }
  return levels;
}

}  // namespace btc
