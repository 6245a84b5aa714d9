#include <cmath>

#include "backend/reference/arb_session.hpp"

namespace btc {
namespace {

/// The sums of the published code carry this, so that an empty group gives 0.
constexpr double kTiny = 1e-8;

double mean_of(std::span<const double> x) {
  double sum = 0;
  for (const double value : x) {
    sum += value;
  }
  return x.empty() ? 0.0 : sum / static_cast<double>(x.size());
}

struct Plane {
  double mu = 0;
  double alpha = 0;
  std::vector<double> sign;
};

/// mu = mean, alpha = mean |x - mu|, B = sign(x - mu); takes the plane off `x`.
Plane take_plain_plane(std::span<double> x) {
  Plane plane;
  plane.mu = mean_of(x);
  plane.sign.resize(x.size());
  double sum = 0;
  for (std::size_t j = 0; j < x.size(); ++j) {
    sum += std::fabs(x[j] - plane.mu);
    plane.sign[j] = x[j] >= plane.mu ? 1.0 : -1.0;
  }
  plane.alpha = x.empty() ? 0.0 : sum / static_cast<double>(x.size());
  for (std::size_t j = 0; j < x.size(); ++j) {
    x[j] -= plane.mu + plane.alpha * plane.sign[j];
  }
  return plane;
}

/// alpha = sum B (x - mu - other * B2) / sum B^2.
double refit_alpha(std::span<const float> x, double mu, std::span<const double> sign, double other,
                   std::span<const double> other_sign) {
  double sum = 0;
  for (std::size_t j = 0; j < x.size(); ++j) {
    const double rest = other_sign.empty() ? 0.0 : other * other_sign[j];
    sum += sign[j] * (static_cast<double>(x[j]) - mu - rest);
  }
  return sum / (static_cast<double>(x.size()) + kTiny);
}

/// Nearest of the four values, first on ties in the order (-,-), (-,+), (+,-), (+,+).
void nearest_of_four(std::span<const float> x, const AlternatingFit& fit, Plane& first,
                     Plane& second) {
  for (std::size_t j = 0; j < x.size(); ++j) {
    const double target = static_cast<double>(x[j]) - fit.mu;
    double best = INFINITY;
    for (const double b1 : {-1.0, 1.0}) {
      for (const double b2 : {-1.0, 1.0}) {
        const double distance = std::fabs(target - (fit.alpha[0] * b1 + fit.alpha[1] * b2));
        if (distance < best) {
          best = distance;
          first.sign[j] = b1;
          second.sign[j] = b2;
        }
      }
    }
  }
}

std::vector<double> to_double(std::span<const float> x) { return {x.begin(), x.end()}; }

}  // namespace

AlternatingFit fit_first_order(std::span<const float> x, int iterations) {
  std::vector<double> residual = to_double(x);
  Plane plane = take_plain_plane(residual);
  AlternatingFit fit{plane.mu, {plane.alpha, 0}};
  for (int sweep = 0; sweep < iterations; ++sweep) {
    fit.mu += mean_of(residual);
    fit.alpha[0] = refit_alpha(x, fit.mu, plane.sign, 0, {});
    for (std::size_t j = 0; j < x.size(); ++j) {
      const auto value = static_cast<double>(x[j]);
      plane.sign[j] = value >= fit.mu ? 1.0 : -1.0;
      residual[j] = value - (fit.alpha[0] * plane.sign[j] + fit.mu);
    }
  }
  return fit;
}

AlternatingFit fit_second_order(std::span<const float> x, int iterations) {
  std::vector<double> residual = to_double(x);
  Plane first = take_plain_plane(residual);
  Plane second = take_plain_plane(residual);
  AlternatingFit fit{first.mu + second.mu, {first.alpha, second.alpha}};
  for (int sweep = 0; sweep < iterations; ++sweep) {
    fit.mu += mean_of(residual);
    fit.alpha[0] = refit_alpha(x, fit.mu, first.sign, fit.alpha[1], second.sign);
    fit.alpha[1] = refit_alpha(x, fit.mu, second.sign, fit.alpha[0], first.sign);
    nearest_of_four(x, fit, first, second);
    for (std::size_t j = 0; j < x.size(); ++j) {
      residual[j] = static_cast<double>(x[j]) -
                    (fit.alpha[0] * first.sign[j] + fit.alpha[1] * second.sign[j] + fit.mu);
    }
  }
  return fit;
}

PanelScales ReferenceArbSession::fit(MatrixView<const float> x, const PanelGroups& groups,
                                     const FitParams& params) {
  BTC_CHECK(params.rule == FitRule::kArb, "unknown fit rule");
  const std::size_t rows = x.rows();
  PanelScales scales;
  scales.alpha = Matrix<float>(rows, groups.count);
  scales.mu = Matrix<float>(rows, groups.count);
  if (!groups.salient.empty()) {
    scales.salient_alpha = Matrix<float>(rows, 2);
    scales.salient_mu.resize(rows);
  }
  const auto entries = [&](std::size_t i, std::size_t g) {
    std::vector<float> result;
    for (std::size_t j = 0; j < x.cols(); ++j) {
      if (groups.group(i, j) == g) {
        result.push_back(x(i, j));
      }
    }
    return result;
  };
  for (std::size_t i = 0; i < rows; ++i) {
    for (std::size_t g = 0; g < groups.count; ++g) {
      const AlternatingFit fit = fit_first_order(entries(i, g), params.iterations);
      scales.alpha(i, g) = static_cast<float>(fit.alpha[0]);
      scales.mu(i, g) = static_cast<float>(fit.mu);
    }
    if (!groups.salient.empty()) {
      const AlternatingFit fit = fit_second_order(entries(i, kSalientGroup), params.iterations);
      scales.salient_alpha(i, 0) = static_cast<float>(fit.alpha[0]);
      scales.salient_alpha(i, 1) = static_cast<float>(fit.alpha[1]);
      scales.salient_mu[i] = static_cast<float>(fit.mu);
    }
  }
  return scales;
}

}  // namespace btc
