#pragma once
/// The binarizers: how the scales of a group are found.

#include <array>
#include <string_view>

namespace btc {

/// Name in the configuration (`binarize.method`) in brackets.
enum class FitRule {
  /// [arb] Alternating refinement of mu, alpha and signs. First order: w = mu + alpha*B. Second
  /// order
  /// (salient columns): w = mu + alpha1*B1 + alpha2*B2. @see ARB-LLM Alg. 1
  kArb,
};

inline constexpr std::array<std::string_view, 1> kFitRuleNames = {"arb"};

/// A rule and its number of refinement sweeps (ARB-LLM uses 15).
struct FitParams {
  FitRule rule = FitRule::kArb;
  int iterations = 15;
};

}  // namespace btc
