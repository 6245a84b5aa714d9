#pragma once
/// The same random texts in C++ and in Python, to compare long outputs by a hash.

#include <string>
#include <string_view>
#include <vector>

#include "support/python_random.hpp"

namespace btc::test {

/// In Python: `random.seed(7)`, then 5,000 times `n = random.randrange(40)` and n letters
/// `letters[random.randrange(len(letters))]`.
inline std::vector<std::string> random_texts(const std::vector<std::string_view>& letters) {
  PythonRandom random(7);
  std::vector<std::string> texts(5000);
  for (std::string& text : texts) {
    for (std::uint32_t n = random.below(40); n > 0; --n) {
      text += letters[random.below(static_cast<std::uint32_t>(letters.size()))];
    }
  }
  return texts;
}

}  // namespace btc::test
