#include "common/bit_matrix.hpp"

#include <algorithm>

namespace btc {

Pattern BitMatrix::pattern(std::size_t i, std::size_t begin, int length) const {
  const auto bytes = row(i);
  const std::size_t first = begin / 8;
  std::uint64_t bits = 0;  // from the byte of `begin` on
  for (std::size_t b = first; b < std::min(first + 4, bytes.size()); ++b) {
    bits |= std::uint64_t{bytes[b]} << (8 * (b - first));
  }
  bits >>= begin % 8;
  const std::size_t inside = begin < cols_ ? cols_ - begin : 0;
  if (inside < static_cast<std::size_t>(length)) {
    bits |= ~std::uint64_t{0} << inside;
  }
  return static_cast<Pattern>(bits & ((std::uint64_t{1} << static_cast<unsigned>(length)) - 1));
}

void BitMatrix::set_pattern(std::size_t i, std::size_t begin, int length, Pattern pattern) {
  for (int b = 0; b < length; ++b) {
    const std::size_t j = begin + static_cast<std::size_t>(b);
    if (j < cols_) {
      set(i, j, ((pattern >> b) & 1U) != 0);
    }
  }
}

}  // namespace btc
