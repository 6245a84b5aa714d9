#include "backend/check_input.hpp"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <numeric>

#include "common/error.hpp"

namespace btc {
namespace {

void check_below(std::span<const Pattern> patterns, int vector_length, const char* what) {
  const Pattern all = std::accumulate(patterns.begin(), patterns.end(), Pattern{0},
                                      [](Pattern a, Pattern b) { return a | b; });
  if ((all >> vector_length) == 0) {
    return;
  }
  const auto bad = std::find_if(patterns.begin(), patterns.end(),
                                [&](Pattern p) { return (p >> vector_length) != 0; });
  BTC_THROW(InputError, what, " ", bad - patterns.begin(), ": got ", *bad,
            ", expected less than 2^", vector_length);
}

}  // namespace

void check_vector_length(int vector_length) {
  BTC_REQUIRE(InputError, vector_length >= kMinVectorLength && vector_length <= kMaxVectorLength,
              "vector length: got ", vector_length, ", expected ", kMinVectorLength, " to ",
              kMaxVectorLength);
}

void check_histogram(const PatternHistogram& histogram) {
  check_vector_length(histogram.vector_length);
  const auto& patterns = histogram.patterns;
  BTC_REQUIRE(InputError, histogram.counts.size() == patterns.size(), "histogram: got ",
              histogram.counts.size(), " counts for ", patterns.size(), " patterns");
  check_below(patterns, histogram.vector_length, "pattern");
  const auto fall = std::adjacent_find(patterns.begin(), patterns.end(),
                                       [](Pattern a, Pattern b) { return a >= b; });
  BTC_REQUIRE(InputError, fall == patterns.end(), "histogram: pattern ", *(fall + 1), " follows ",
              *fall, ", expected strictly ascending patterns");
  const auto zero = std::find(histogram.counts.begin(), histogram.counts.end(), std::uint64_t{0});
  BTC_REQUIRE(InputError, zero == histogram.counts.end(), "histogram: count ",
              zero - histogram.counts.begin(), " is 0, expected only patterns that occur");
}

void check_codewords(std::span<const Pattern> codewords, int vector_length) {
  check_vector_length(vector_length);
  BTC_REQUIRE(InputError, !codewords.empty() && codewords.size() <= kMaxCodewords,
              "codewords: got ", codewords.size(), ", expected 1 to ", kMaxCodewords);
  check_below(codewords, vector_length, "codeword");
}

void check_patterns(std::span<const Pattern> patterns, int vector_length) {
  check_below(patterns, vector_length, "pattern");
}

void check_results(std::size_t patterns, std::size_t results) {
  BTC_REQUIRE(InputError, results == patterns, "nearest: got ", patterns, " patterns and ", results,
              " results, expected as many");
}

void check_assignment(const PatternHistogram& histogram,
                      std::span<const std::uint32_t> assignment) {
  BTC_REQUIRE(InputError, assignment.size() == histogram.patterns.size(), "assignment: got ",
              assignment.size(), " entries, expected ", histogram.patterns.size());
}

void check_labels(std::span<const std::uint32_t> assignment, std::size_t centroid_count) {
  std::uint32_t top = 0;
  for (const std::uint32_t label : assignment) {
    top = std::max(top, label);
  }
  BTC_REQUIRE(InputError, assignment.empty() || top < centroid_count, "assignment: got label ", top,
              ", expected less than ", centroid_count);
}

void check_weighted_shapes(std::size_t own, MatrixView<const std::int32_t> costs, std::size_t index,
                           int vector_length) {
  BTC_REQUIRE(InputError,
              costs.rows() == own && index == own &&
                  (own == 0 || costs.cols() == static_cast<std::size_t>(vector_length)),
              "weighted search: got ", own, " patterns, costs [", costs.rows(), ", ", costs.cols(),
              "], ", index, " results, expected [N], [N, ", vector_length, "], [N]");
}

void check_flip_costs(std::span<const std::int32_t> costs) {
  for (const std::int32_t cost : costs) {
    BTC_REQUIRE(InputError, cost >= 0 && cost <= kMaxFlipCost, "flip cost: got ", cost,
                ", expected 0 to ", kMaxFlipCost);
  }
}

void check_square(MatrixView<const float> h) {
  BTC_REQUIRE(NumericError, h.rows() == h.cols(), "factor: got H [", h.rows(), ", ", h.cols(),
              "], expected a square matrix");
}

void check_hessian(MatrixView<const float> h) {
  check_square(h);
  for (std::size_t i = 0; i < h.rows(); ++i) {
    const auto row = h.row(i);
    const auto bad =
        std::find_if(row.begin(), row.end(), [](float x) { return !std::isfinite(x); });
    BTC_REQUIRE(NumericError, bad == row.end(), "factor: H[", i, ", ", bad - row.begin(),
                "] is not finite");
  }
}

}  // namespace btc
