#pragma once
/// The Adam optimiser on a flat vector.

#include <cstdint>
#include <span>
#include <vector>

namespace btc {

/// Moments of the gradient; decay 0.9 and 0.999, without weight decay.
struct AdamState {
  std::vector<float> first, second;
  std::int64_t steps = 0;
};

/// values -= rate * m / (sqrt(v) + 1e-8), moments corrected for their start at zero. Sizes of an
/// empty state are set by the first step.
void adam_step(std::span<float> values, std::span<const float> gradient, double rate,
               AdamState& state);

/// Share of the rate at a step of a cosine that ends at zero: (1 + cos(pi * step / steps)) / 2.
double cosine_share(std::int64_t step, std::int64_t steps);

}  // namespace btc
