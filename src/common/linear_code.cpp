#include "common/linear_code.hpp"

namespace btc {

std::vector<Pattern> linear_code_words() {
  std::vector<Pattern> words(std::size_t{1} << kLinearCodeFree);
  for (std::size_t i = 0; i < words.size(); ++i) {
    Pattern parity = 0;
    for (std::size_t b = 0; b < kLinearCodeFree; ++b) {
      parity ^= ((i >> b) & 1U) != 0 ? kLinearCodeColumns.at(b) : 0U;
    }
    words[i] = static_cast<Pattern>(i) | (parity << static_cast<unsigned>(kLinearCodeFree));
  }
  return words;
}

}  // namespace btc
