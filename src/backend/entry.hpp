#pragma once
/// The fp32 arithmetic of one entry of a panel. Signs and codewords are decided by comparing these
/// values, so every backend performs the same operations in the same order, none of them fused.
/// Constexpr functions run in CUDA kernels too.

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <span>

#include "backend/panel.hpp"

namespace btc {

/// Flip costs handed to a codeword search are at most this (exact in fp32).
inline constexpr float kLargestCost = 16777216.0F;

/// Scales of an entry outside the salient columns.
struct EntryScale {
  float alpha = 0;  ///< alpha[i, g] * alpha_col[j]
  float mu = 0;
};

/// Scales of a row's salient entries.
struct SalientScale {
  float alpha = 0;     ///< of the first plane
  float residual = 0;  ///< of the second plane
  float mu = 0;
};

/// Of row i, group g and column j of a panel of `width` columns.
constexpr EntryScale entry_scale(const PanelScalesView& scales, std::size_t i, std::size_t g,
                                 std::size_t j, std::size_t width) {
  return {scales.entry_alpha(i, g, j, width), scales.mu.rows() == 0 ? 0.0F : scales.mu(i, g)};
}

/// Of row i in salient group s, in the salient column of this rank.
constexpr SalientScale salient_scale(const PanelScalesView& scales, std::size_t i, std::size_t s,
                                     std::size_t rank) {
  const std::size_t count = scales.salient_alpha.cols() / 2;
  return {scales.plane_alpha(i, 2 * s, rank), scales.plane_alpha(i, 2 * s + 1, rank),
          scales.salient_mu.empty() ? 0.0F : scales.salient_mu[i * count + s]};
}

/// alpha * B + mu.
constexpr float entry_value(const EntryScale& s, bool sign) {
  return (sign ? s.alpha : -s.alpha) + s.mu;
}

/// alpha * B + residual * R + mu.
constexpr float salient_value(const SalientScale& s, bool sign, bool residual) {
  return ((sign ? s.alpha : -s.alpha) + (residual ? s.residual : -s.residual)) + s.mu;
}

/// Preferred sign of an entry; sign(0) = +1.
constexpr bool entry_sign(float w, const EntryScale& s) { return w - s.mu >= 0.0F; }

/// Second-plane sign for a given first one; the lower plane wins ties.
constexpr bool salient_residual(float w, const SalientScale& s, bool sign) {
  return std::fabs(w - salient_value(s, sign, true)) < std::fabs(w - salient_value(s, sign, false));
}

/// Distance to the nearer of the two values that a first-plane sign leaves.
constexpr float salient_distance(float w, const SalientScale& s, bool sign) {
  return std::min(std::fabs(w - salient_value(s, sign, false)),
                  std::fabs(w - salient_value(s, sign, true)));
}

/// First-plane sign of the nearest of the four values; the lower plane wins ties.
constexpr bool salient_sign(float w, const SalientScale& s) {
  return salient_distance(w, s, true) < salient_distance(w, s, false);
}

/// Distance of an entry to the value that a sign gives it.
constexpr float entry_distance(float w, const EntryScale& s, bool sign) {
  return std::fabs(w - entry_value(s, sign));
}

/// A quarter of what the larger distance adds to h * error^2; h = 1 / U_jj^2.
constexpr float distance_cost(float own, float other, float h) {
  return std::max((h * ((other - own) * (other + own))) * 0.25F, 0.0F);
}

/// The same for flipping the preferred sign within its group.
constexpr float entry_flip_cost(float w, const EntryScale& s, float h) {
  return std::max((h * s.alpha) * std::fabs(w - s.mu), 0.0F);
}

constexpr float salient_flip_cost(float w, const SalientScale& s, float h) {
  const float plus = salient_distance(w, s, true);
  const float minus = salient_distance(w, s, false);
  return distance_cost(std::min(plus, minus), std::max(plus, minus), h);
}

/// Factor that makes the largest cost of a sub-vector `kLargestCost`; 0 where all are nearly zero.
constexpr float cost_scale(float largest) {
  return largest > 1e-30F ? kLargestCost / largest : 0.0F;
}

/// A cost as an integer: scaled, then rounded to nearest, ties to even.
constexpr std::int32_t round_cost(float cost, float scale) {
  return static_cast<std::int32_t>(std::nearbyint(cost * scale));
}

/// Costs of one sub-vector as integers.
inline void round_costs(std::span<const float> costs, std::span<std::int32_t> rounded) {
  const float scale = cost_scale(*std::max_element(costs.begin(), costs.end()));
  for (std::size_t b = 0; b < costs.size(); ++b) {
    rounded[b] = round_cost(costs[b], scale);
  }
}

}  // namespace btc
