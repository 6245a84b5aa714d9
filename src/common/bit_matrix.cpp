#include "common/bit_matrix.hpp"

namespace btc {

Pattern BitMatrix::pattern(std::size_t i, std::size_t begin, int length) const {
  Pattern result = 0;
  for (int b = 0; b < length; ++b) {
    const std::size_t j = begin + static_cast<std::size_t>(b);
    const bool bit = j >= cols_ || get(i, j);
    result |= static_cast<Pattern>(bit) << b;
  }
  return result;
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
