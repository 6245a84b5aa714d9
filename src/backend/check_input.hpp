#pragma once
/// Checks that every backend makes of its input, so that all refuse the same with the same text.

#include <cstddef>
#include <cstdint>
#include <span>

#include "common/matrix.hpp"
#include "common/pattern.hpp"

namespace btc {

/// Most codewords or centroids that a session takes: a label has 24 bits.
inline constexpr std::size_t kMaxCodewords = std::size_t{1} << kMaxVectorLength;

/// Largest cost of one flip in `CodewordSearch::nearest_weighted`; the sum of 24 fits 31 bits.
inline constexpr std::int32_t kMaxFlipCost = std::int32_t{1} << 26;

/// @throws InputError unless kMinVectorLength <= v <= kMaxVectorLength
void check_vector_length(int vector_length);
/// @throws InputError unless the histogram keeps what `PatternHistogram` promises
void check_histogram(const PatternHistogram& histogram);
/// @throws InputError unless there is at least one codeword, at most kMaxCodewords, each < 2^v
void check_codewords(std::span<const Pattern> codewords, int vector_length);
/// @throws InputError unless there is one result per pattern
void check_results(std::size_t patterns, std::size_t results);
/// @throws InputError unless each pattern is < 2^v
void check_patterns(std::span<const Pattern> patterns, int vector_length);
/// @throws InputError unless the assignment has one entry per pattern
void check_assignment(const PatternHistogram& histogram, std::span<const std::uint32_t> assignment);
/// @throws InputError unless each entry of the assignment is < c
void check_labels(std::span<const std::uint32_t> assignment, std::size_t centroid_count);
/// @throws InputError unless own is [N], costs [N, v], index [N]
void check_weighted_shapes(std::size_t own, MatrixView<const std::int32_t> costs, std::size_t index,
                           int vector_length);
/// @throws InputError unless 0 <= cost <= kMaxFlipCost for each cost
void check_flip_costs(std::span<const std::int32_t> costs);
/// @throws NumericError unless H is square
void check_square(MatrixView<const float> h);
/// @throws NumericError unless H is square and every entry is finite
void check_hessian(MatrixView<const float> h);

}  // namespace btc
