#include <bit>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "backend/check_input.hpp"
#include "backend/reference/sessions.hpp"

namespace btc {
namespace {

std::int64_t flip_cost(Pattern flips, std::span<const std::int32_t> costs) {
  std::int64_t sum = 0;
  for (std::size_t b = 0; b < costs.size(); ++b) {
    sum += ((flips >> b) & 1U) != 0 ? costs[b] : 0;
  }
  return sum;
}

class ReferenceCodewords final : public CodewordSearch {
 public:
  ReferenceCodewords(std::span<const Pattern> codewords, int vector_length)
      : vector_length_(vector_length), codewords_(codewords.begin(), codewords.end()) {
    check_codewords(codewords, vector_length);
  }

  [[nodiscard]] int vector_length() const override { return vector_length_; }
  [[nodiscard]] std::span<const Pattern> codewords() const override { return codewords_; }

  void nearest(std::span<const Pattern> patterns, std::span<std::uint32_t> index) const override {
    check_patterns(patterns, vector_length_);
    check_results(patterns.size(), index.size());
    for (std::size_t i = 0; i < patterns.size(); ++i) {
      index[i] = lowest([&](Pattern codeword) { return std::popcount(patterns[i] ^ codeword); });
    }
  }

  void nearest_weighted(std::span<const Pattern> own, MatrixView<const std::int32_t> costs,
                        std::span<std::uint32_t> index) const override {
    check_weighted_shapes(own.size(), costs, index.size(), vector_length_);
    check_patterns(own, vector_length_);
    for (std::size_t i = 0; i < own.size(); ++i) {
      check_flip_costs(costs.row(i));
      index[i] =
          lowest([&](Pattern codeword) { return flip_cost(own[i] ^ codeword, costs.row(i)); });
    }
  }

 private:
  /// Index of the codeword with the smallest distance, the first one among equal ones.
  template <typename Distance>
  [[nodiscard]] std::uint32_t lowest(Distance distance) const {
    std::uint32_t best = 0;
    auto best_distance = distance(codewords_[0]);
    for (std::uint32_t k = 1; k < codewords_.size(); ++k) {
      const auto d = distance(codewords_[k]);
      if (d < best_distance) {
        best = k;
        best_distance = d;
      }
    }
    return best;
  }

  int vector_length_;
  std::vector<Pattern> codewords_;
};

}  // namespace

std::unique_ptr<CodewordSearch> make_reference_codewords(std::span<const Pattern> codewords,
                                                         int vector_length) {
  return std::make_unique<ReferenceCodewords>(codewords, vector_length);
}

}  // namespace btc
