#include "backend/row_fit.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

namespace btc {
namespace {

/// The sums of the published code carry this, so that an empty group gives 0.
constexpr double kTiny = 1e-8;
/// The same in the metric of the inputs.
constexpr double kTinyEnergy = 1e-10;

double mean_of(std::span<const double> x) {
  double sum = 0;
  for (const double value : x) {
    sum += value;
  }
  return x.empty() ? 0.0 : sum / static_cast<double>(x.size());
}

double sign_of(double x) { return x >= 0 ? 1.0 : -1.0; }

double dot(std::span<const double> a, std::span<const double> b) {
  double sum = 0;
  for (std::size_t j = 0; j < a.size(); ++j) {
    sum += a[j] * b[j];
  }
  return sum;
}

/// Takes one plain plane off `rest`.
void take_plane(std::span<double> rest, double& mu, double& alpha, std::vector<double>& sign) {
  const double mean = mean_of(rest);
  sign.resize(rest.size());
  double sum = 0;
  for (std::size_t j = 0; j < rest.size(); ++j) {
    sum += std::fabs(rest[j] - mean);
    sign[j] = sign_of(rest[j] - mean);
  }
  alpha = rest.empty() ? 0.0 : sum / static_cast<double>(rest.size());
  for (std::size_t j = 0; j < rest.size(); ++j) {
    rest[j] -= mean + alpha * sign[j];
  }
  mu += mean;
}

/// alpha = sum B (x - mu - other B2) / sum B^2.
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
void nearest_of_four(std::span<const float> x, RowFit& fit) {
  for (std::size_t j = 0; j < x.size(); ++j) {
    const double target = static_cast<double>(x[j]) - fit.mu;
    double best = std::numeric_limits<double>::infinity();
    for (const double b1 : {-1.0, 1.0}) {
      for (const double b2 : {-1.0, 1.0}) {
        const double distance = std::fabs(target - (fit.alpha * b1 + fit.residual_alpha * b2));
        if (distance < best) {
          best = distance;
          fit.sign[j] = b1;
          fit.residual[j] = b2;
        }
      }
    }
  }
}

void choose_signs(std::span<const float> x, RowFit& fit) {
  if (!fit.residual.empty()) {
    nearest_of_four(x, fit);
    return;
  }
  for (std::size_t j = 0; j < x.size(); ++j) {
    fit.sign[j] = sign_of(static_cast<double>(x[j]) - fit.mu);
  }
}

/// Rows of S, restricted to the entries, times `v`.
std::vector<double> times_gram(std::span<const std::uint32_t> columns, MatrixView<const float> gram,
                               std::span<const double> v) {
  std::vector<double> result(columns.size(), 0.0);
  for (std::size_t a = 0; a < columns.size(); ++a) {
    const auto row = gram.row(columns[a]);
    double sum = 0;
    for (std::size_t b = 0; b < columns.size(); ++b) {
      sum += static_cast<double>(row[columns[b]]) * v[b];
    }
    result[a] = sum;
  }
  return result;
}

}  // namespace

RowFit fit_plain(std::span<const float> x, int planes) {
  RowFit fit;
  std::vector<double> rest(x.begin(), x.end());
  take_plane(rest, fit.mu, fit.alpha, fit.sign);
  if (planes == 2) {
    take_plane(rest, fit.mu, fit.residual_alpha, fit.residual);
  }
  return fit;
}

RowFit fit_alternating(std::span<const float> x, int planes, int iterations) {
  RowFit fit = fit_plain(x, planes);
  std::vector<double> rest(x.size());
  for (int sweep = 0; sweep < iterations; ++sweep) {
    for (std::size_t j = 0; j < x.size(); ++j) {
      const double second = fit.residual.empty() ? 0.0 : fit.residual_alpha * fit.residual[j];
      rest[j] = static_cast<double>(x[j]) - (fit.alpha * fit.sign[j] + second + fit.mu);
    }
    fit.mu += mean_of(rest);
    fit.alpha = refit_alpha(x, fit.mu, fit.sign, fit.residual_alpha, fit.residual);
    if (planes == 2) {
      fit.residual_alpha = refit_alpha(x, fit.mu, fit.residual, fit.alpha, fit.sign);
    }
    choose_signs(x, fit);
  }
  return fit;
}

RowFit fit_two_levels(std::span<const float> x) {
  if (x.empty()) {
    return {};
  }
  std::vector<double> sorted(x.begin(), x.end());
  std::sort(sorted.begin(), sorted.end());
  const auto count = static_cast<double>(x.size());
  double total = 0;
  for (const double value : sorted) {
    total += value;
  }
  // Both levels are means: the error falls by sum_low^2 / n_low + sum_high^2 / n_high.
  RowFit fit;
  fit.mu = total / count;
  double best = total * total / count;
  double low = 0;
  for (std::size_t cut = 1; cut < sorted.size(); ++cut) {
    low += sorted[cut - 1];
    const auto below = static_cast<double>(cut);
    const double high = total - low;
    const double gain = low * low / below + high * high / (count - below);
    if (sorted[cut] > sorted[cut - 1] && gain > best) {
      best = gain;
      const double lower = low / below;
      const double upper = high / (count - below);
      fit.mu = (lower + upper) / 2;
      fit.alpha = (upper - lower) / 2;
    }
  }
  fit.sign.resize(x.size());
  choose_signs(x, fit);
  return fit;
}

RowFit fit_in_metric(std::span<const float> x, std::span<const std::uint32_t> columns,
                     MatrixView<const float> gram, int planes, int iterations) {
  RowFit fit = fit_alternating(x, planes, iterations);
  const std::vector<double> w(x.begin(), x.end());
  const std::vector<double> ones(x.size(), 1.0);
  const std::vector<double> s_ones = times_gram(columns, gram, ones);
  const std::vector<double> s_sign = times_gram(columns, gram, fit.sign);
  const std::vector<double> s_residual =
      planes == 2 ? times_gram(columns, gram, fit.residual) : std::vector<double>(x.size(), 0.0);
  const std::vector<double>& second = planes == 2 ? fit.residual : s_residual;
  const double one_one = dot(ones, s_ones) + kTinyEnergy;
  const double sign_sign = dot(fit.sign, s_sign) + kTinyEnergy;
  const double second_second = dot(second, s_residual) + kTinyEnergy;
  const double one_sign = dot(ones, s_sign);
  const double one_second = dot(ones, s_residual);
  const double sign_second = dot(fit.sign, s_residual);
  const double w_one = dot(w, s_ones);
  const double w_sign = dot(w, s_sign);
  const double w_second = dot(w, s_residual);
  for (int sweep = 0; sweep < iterations; ++sweep) {
    fit.mu = (w_one - fit.alpha * one_sign - fit.residual_alpha * one_second) / one_one;
    fit.alpha = (w_sign - fit.mu * one_sign - fit.residual_alpha * sign_second) / sign_sign;
    fit.residual_alpha =
        planes == 2 ? (w_second - fit.mu * one_second - fit.alpha * sign_second) / second_second
                    : 0.0;
  }
  return fit;
}

}  // namespace btc
