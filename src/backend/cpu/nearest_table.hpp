#pragma once
/// Nearest codeword (Hamming) of every one of the 2^v patterns at once.

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "backend/cpu/workers.hpp"
#include "common/pattern.hpp"

namespace btc {

/// Table over all patterns, made by a min-plus transform over the v-cube: start with distance 0 at
/// the codewords and "far" elsewhere; then for each bit b a pattern takes the smaller of its own
/// key and its neighbour's (p ^ 1<<b) key plus one step. After v bits a key is the minimum over all
/// codewords k of (distance, k), so ties go to the lowest label, whatever the order of the passes.
/// v * 2^v additions and minima, however many codewords and however many patterns there are.
class NearestTable {
 public:
  static constexpr int kLabelBits = 24;
  static constexpr std::uint32_t kStep = std::uint32_t{1} << kLabelBits;

  /// @param codewords [c], 1 <= c <= 2^24, each < 2^v; equal ones are allowed
  void build(std::span<const Pattern> codewords, int vector_length, const Workers& workers);
  [[nodiscard]] bool empty() const { return keys_.empty(); }
  /// Lowest label among the nearest codewords of `pattern`.
  [[nodiscard]] std::uint32_t label(Pattern pattern) const { return keys_[pattern] & (kStep - 1); }
  /// Hamming distance to the nearest codeword.
  [[nodiscard]] std::uint32_t distance(Pattern pattern) const {
    return keys_[pattern] >> kLabelBits;
  }

 private:
  std::vector<std::uint32_t> keys_;
};

/// Lowest label among the codewords nearest to `pattern`, by looking at each: for few patterns.
std::uint32_t nearest_by_scan(Pattern pattern, std::span<const Pattern> codewords);

}  // namespace btc
