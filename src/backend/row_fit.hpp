#pragma once
/// Fits of one row and group in plain loops and doubles, for the rules that need no fast version:
/// every backend calls these.

#include <cstdint>
#include <span>
#include <vector>

#include "common/matrix.hpp"

namespace btc {

/// Scales of one row and group, and the signs (+1 or -1) that they belong to.
struct RowFit {
  double mu = 0;
  double alpha = 0;
  double residual_alpha = 0;     ///< second order only
  std::vector<double> sign;      ///< of each entry
  std::vector<double> residual;  ///< second plane; empty in first order
};

/// mu = mean, alpha = mean |x - mu|, B = sign(x - mu), once per plane on what is left; mu is the
/// sum of both means. No entries give zeros. @param planes 1 or 2. @see BiLLM Eq. 3 to 6
RowFit fit_plain(std::span<const float> x, int planes);

/// Alternating refinement. @see ARB-LLM Alg. 1, Eq. 6 to 8
RowFit fit_alternating(std::span<const float> x, int planes, int iterations);

/// The two levels with the smallest squared error, by sorting and prefix sums. One distinct value
/// gives alpha = 0.
RowFit fit_two_levels(std::span<const float> x);

/// Starts from the alternating fit, freezes its signs, then updates mu and each alpha in turn, each
/// exactly, in the metric r S r^T. @see ARB-LLM Sec. 3.2
/// @param columns of the entries, ascending; @param gram S [k, k] of the panel
RowFit fit_in_metric(std::span<const float> x, std::span<const std::uint32_t> columns,
                     MatrixView<const float> gram, int planes, int iterations);

}  // namespace btc
