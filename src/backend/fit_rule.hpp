#pragma once
/// The binarizers: how the scales of a group are found.

#include <array>
#include <string_view>

#include "common/matrix.hpp"

namespace btc {

/// Name in the configuration (`binarize.method`) in brackets. First order: w = mu + alpha*B. Second
/// order (salient columns): w = mu + alpha1*B1 + alpha2*B2.
enum class FitRule {
  /// [arb] Alternating refinement of mu, alpha and signs. @see ARB-LLM Alg. 1
  kArb,
  /// [plain] mu = mean, alpha = mean |x - mu|, B = sign(x - mu); the same again on the rest.
  /// @see BiLLM Eq. 3 to 6
  kPlain,
  /// [arb_x] As arb, then mu and alpha for frozen signs in the metric of the panel's inputs.
  /// @see ARB-LLM Sec. 3.2
  kArbX,
  /// [arb_rc] Row scales times column scales, no mean: w = alpha_r * alpha_c * B.
  /// @see ARB-LLM Sec. 3.3
  kArbRc,
};

inline constexpr std::array<std::string_view, 4> kFitRuleNames = {"arb", "plain", "arb_x",
                                                                  "arb_rc"};

/// How the first order of `arb` is solved (`binarize.solver`).
enum class FitSolver {
  kIterative,  ///< the papers' sweeps
  kExact,      ///< the best two levels, by sorting: never worse
};
inline constexpr std::array<std::string_view, 2> kFitSolverNames = {"iterative", "exact"};

/// A rule and its number of refinement sweeps (ARB-LLM uses 15).
struct FitParams {
  FitRule rule = FitRule::kArb;
  int iterations = 15;
  FitSolver solver = FitSolver::kIterative;
  MatrixView<const float> gram = {};  ///< [k, k] of the panel's inputs, for kArbX; any unit
};

}  // namespace btc
