#include "refine/adam.hpp"

#include <cmath>
#include <numbers>

#include "common/error.hpp"

namespace btc {

void adam_step(std::span<float> values, std::span<const float> gradient, double rate,
               AdamState& state) {
  constexpr double kFirst = 0.9;
  constexpr double kSecond = 0.999;
  constexpr double kEpsilon = 1e-8;
  state.first.resize(values.size());
  state.second.resize(values.size());
  BTC_CHECK(gradient.size() == values.size(), gradient.size(), " gradients for ", values.size(),
            " values");
  ++state.steps;
  const double first_share = 1 - std::pow(kFirst, static_cast<double>(state.steps));
  const double second_share = 1 - std::pow(kSecond, static_cast<double>(state.steps));
  for (std::size_t i = 0; i < values.size(); ++i) {
    const auto g = static_cast<double>(gradient[i]);
    const double m = kFirst * static_cast<double>(state.first[i]) + (1 - kFirst) * g;
    const double v = kSecond * static_cast<double>(state.second[i]) + (1 - kSecond) * g * g;
    state.first[i] = static_cast<float>(m);
    state.second[i] = static_cast<float>(v);
    const double step = m / first_share / (std::sqrt(v / second_share) + kEpsilon);
    values[i] = static_cast<float>(static_cast<double>(values[i]) - rate * step);
  }
}

double cosine_share(std::int64_t step, std::int64_t steps) {
  const double done = static_cast<double>(step) / static_cast<double>(steps);
  return (1 + std::cos(std::numbers::pi * done)) / 2;
}

}  // namespace btc
