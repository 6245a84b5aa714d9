#include "pack/group_map.hpp"

#include <algorithm>
#include <array>

#include "pack/bit_stream.hpp"

namespace btc {
namespace {

constexpr std::size_t kByteBits = 8;
constexpr std::size_t kMaxField = 32;  // of a BitWriter

/// Entries in a byte, by number of groups; an entry is a digit to base 2, 3 or 4.
std::size_t entries_per_byte(std::size_t groups) {
  constexpr std::array<std::size_t, 3> kPerByte = {8, 5, 4};
  BTC_CHECK(groups >= 2 && groups <= 4, groups, " groups");
  return kPerByte.at(groups - 2);
}

/// Calls `use` with every gap of a row.
template <typename Use>
void for_each_gap(std::span<const std::uint8_t> row, Use&& use) {
  std::size_t next = 0;
  for (std::size_t j = 0; j < row.size(); ++j) {
    if (row[j] != 0) {
      use(j - next);
      next = j + 1;
    }
  }
}

/// Bytes of all rows for each Rice parameter.
std::array<std::size_t, kMaxRiceParameter + 1> rice_sizes(const Matrix<std::uint8_t>& map) {
  std::array<std::size_t, kMaxRiceParameter + 1> total{};
  for (std::size_t i = 0; i < map.rows(); ++i) {
    std::array<std::size_t, kMaxRiceParameter + 1> bits{};
    for_each_gap(map.row(i), [&](std::size_t gap) {
      for (std::size_t k = 0; k < bits.size(); ++k) {
        bits.at(k) += (gap >> k) + 1 + k;
      }
    });
    for (std::size_t k = 0; k < bits.size(); ++k) {
      total.at(k) += ceil_div(bits.at(k), kByteBits);
    }
  }
  return total;
}

void write_rice(BitWriter& writer, std::size_t gap, std::size_t parameter) {
  for (std::size_t ones = gap >> parameter; ones > 0;) {
    const std::size_t step = std::min(ones, kMaxField);
    writer.write((std::uint64_t{1} << step) - 1, step);
    ones -= step;
  }
  writer.write(0, 1);
  writer.write(gap & ((std::size_t{1} << parameter) - 1), parameter);
}

void decode_rice_row(BitReader reader, std::size_t parameter, std::span<std::uint8_t> row,
                     std::size_t first_byte, const TensorOrigin& origin) {
  std::size_t next = 0;
  while (reader.remaining() > 0) {
    const std::size_t start = reader.position();
    std::size_t quotient = 0;
    while (reader.remaining() > 0 && reader.read(1) == 1) {
      ++quotient;
    }
    const std::size_t byte = first_byte + start / kByteBits;
    const bool ended = reader.remaining() == 0 && quotient == reader.position() - start;
    if (ended) {  // only ones were left: padding
      if (quotient >= kByteBits) {
        origin.fail(byte, "a row ends with ", quotient, " pad bits, expected fewer than 8");
      }
      return;
    }
    if (reader.remaining() < parameter) {
      origin.fail(byte, "a row ends inside a code");
    }
    const std::size_t gap = (quotient << parameter) + reader.read(parameter);
    if (gap >= row.size() - next) {
      origin.fail(byte, "entry ", next + gap, ", expected < ", row.size());
    }
    next += gap;
    row[next++] = 1;
  }
}

}  // namespace

std::size_t group_map_row_bytes(std::size_t entries, std::size_t groups) {
  return ceil_div(entries, entries_per_byte(groups));
}

std::vector<std::uint8_t> encode_group_map(const Matrix<std::uint8_t>& map, std::size_t groups) {
  const std::size_t per_byte = entries_per_byte(groups);
  std::vector<std::uint8_t> bytes;
  bytes.reserve(map.rows() * group_map_row_bytes(map.cols(), groups));
  for (std::size_t i = 0; i < map.rows(); ++i) {
    const auto row = map.row(i);
    for (std::size_t first = 0; first < row.size(); first += per_byte) {
      std::size_t byte = 0;
      for (std::size_t j = std::min(first + per_byte, row.size()); j > first; --j) {
        BTC_CHECK(row[j - 1] < groups, "group ", int{row[j - 1]}, " of ", groups);
        byte = byte * groups + row[j - 1];
      }
      bytes.push_back(static_cast<std::uint8_t>(byte));
    }
  }
  return bytes;
}

Matrix<std::uint8_t> decode_group_map(std::span<const std::byte> bytes, std::size_t rows,
                                      std::size_t entries, std::size_t groups,
                                      const TensorOrigin& origin) {
  const std::size_t per_byte = entries_per_byte(groups);
  const std::size_t row_bytes = group_map_row_bytes(entries, groups);
  Matrix<std::uint8_t> map(rows, entries);
  for (std::size_t i = 0; i < rows; ++i) {
    const auto row = map.row(i);
    for (std::size_t b = 0; b < row_bytes; ++b) {
      const auto stored = std::to_integer<unsigned>(bytes[i * row_bytes + b]);
      unsigned rest = stored;
      for (std::size_t j = b * per_byte; j < std::min((b + 1) * per_byte, entries); ++j) {
        row[j] = static_cast<std::uint8_t>(rest % groups);
        rest = static_cast<unsigned>(rest / groups);
      }
      if (rest != 0) {
        origin.fail(i * row_bytes + b, "byte value ", stored, " of row ", i,
                    ", expected unused bits and digits to be 0");
      }
    }
  }
  return map;
}

RiceMap encode_rice_map(const Matrix<std::uint8_t>& map) {
  const auto sizes = rice_sizes(map);
  RiceMap result;
  result.parameter =
      static_cast<std::size_t>(std::min_element(sizes.begin(), sizes.end()) - sizes.begin());
  BitWriter writer;
  for (std::size_t i = 0; i < map.rows(); ++i) {
    const std::size_t before = writer.bytes();
    for_each_gap(map.row(i), [&](std::size_t gap) { write_rice(writer, gap, result.parameter); });
    writer.pad(true);
    result.row_bytes.push_back(writer.bytes() - before);
  }
  result.bytes = writer.take();
  return result;
}

Matrix<std::uint8_t> decode_rice_map(std::span<const std::byte> bytes,
                                     std::span<const std::size_t> row_bytes, std::size_t parameter,
                                     std::size_t entries, const TensorOrigin& origin) {
  BTC_CHECK(parameter <= kMaxRiceParameter, "Rice parameter ", parameter);
  Matrix<std::uint8_t> map(row_bytes.size(), entries);
  std::size_t begin = 0;
  for (std::size_t i = 0; i < row_bytes.size(); ++i) {
    BTC_CHECK(row_bytes[i] <= bytes.size() - begin, "row ", i, " ends behind the stream");
    decode_rice_row(BitReader(bytes.subspan(begin, row_bytes[i])), parameter, map.row(i), begin,
                    origin);
    begin += row_bytes[i];
  }
  return map;
}

}  // namespace btc
