/// The alternating fit on sums alone: with B = sign(x - mu), every sweep needs only the number and
/// the sum of the entries above mu, so a row's entries are read once per sweep and stay in L1.
#include <array>
#include <cmath>

#include "backend/cpu/arb_session.hpp"

namespace btc {
namespace {

constexpr std::size_t kTile = 64;
constexpr double kTiny = 1e-8;  // as in the reference: an empty group gives 0

struct Upper {
  double count = 0;
  double sum = 0;
};

/// Entries >= mu.
Upper upper_of(const double* x, std::size_t n, double mu) {
  double count = 0;
  double sum = 0;
#pragma omp simd reduction(+ : count, sum)
  for (std::size_t j = 0; j < n; ++j) {
    count += x[j] >= mu ? 1.0 : 0.0;
    sum += x[j] >= mu ? x[j] : 0.0;
  }
  return {count, sum};
}

double sum_of(const double* x, std::size_t n) {
  double sum = 0;
#pragma omp simd reduction(+ : sum)
  for (std::size_t j = 0; j < n; ++j) {
    sum += x[j];
  }
  return sum;
}

struct Fit {
  double mu = 0;
  double alpha = 0;
  double residual_alpha = 0;
};

Fit fit_first(const double* x, std::size_t n, int iterations) {
  if (n == 0) {
    return {};
  }
  const auto count = static_cast<double>(n);
  const double total = sum_of(x, n);
  Fit fit{total / count, 0, 0};
  Upper upper = upper_of(x, n, fit.mu);
  double balance = 2 * upper.count - count;  // sum of B
  fit.alpha = (2 * upper.sum - total - fit.mu * balance) / count;
  for (int sweep = 0; sweep < iterations; ++sweep) {
    const Fit last = fit;
    fit.mu = (total - fit.alpha * balance) / count;
    fit.alpha = (2 * upper.sum - total - fit.mu * balance) / (count + kTiny);
    if (fit.mu == last.mu && fit.alpha == last.alpha) {
      break;  // a fixed point: further sweeps change nothing
    }
    upper = upper_of(x, n, fit.mu);
    balance = 2 * upper.count - count;
  }
  return fit;
}

/// Sums over both planes.
struct PlaneSums {
  double b1 = 0;
  double b2 = 0;
  double b1b2 = 0;
  double xb1 = 0;
  double xb2 = 0;
};

/// Planes of the nearest of the four values, first on ties in the order (-,-), (-,+), (+,-), (+,+).
PlaneSums nearest_of_four(const double* x, std::size_t n, const Fit& fit) {
  const double minus_minus = -fit.alpha - fit.residual_alpha;
  const double minus_plus = -fit.alpha + fit.residual_alpha;
  const double plus_minus = fit.alpha - fit.residual_alpha;
  const double plus_plus = fit.alpha + fit.residual_alpha;
  PlaneSums s;
  double b1 = 0;
  double b2 = 0;
  double b1b2 = 0;
  double xb1 = 0;
  double xb2 = 0;
#pragma omp simd reduction(+ : b1, b2, b1b2, xb1, xb2)
  for (std::size_t j = 0; j < n; ++j) {
    const double target = x[j] - fit.mu;
    double best = std::fabs(target - minus_minus);
    double first = -1;
    double second = -1;
    double distance = std::fabs(target - minus_plus);
    second = distance < best ? 1.0 : second;
    best = distance < best ? distance : best;
    distance = std::fabs(target - plus_minus);
    first = distance < best ? 1.0 : first;
    second = distance < best ? -1.0 : second;
    best = distance < best ? distance : best;
    distance = std::fabs(target - plus_plus);
    first = distance < best ? 1.0 : first;
    second = distance < best ? 1.0 : second;
    b1 += first;
    b2 += second;
    b1b2 += first * second;
    xb1 += first * x[j];
    xb2 += second * x[j];
  }
  return {b1, b2, b1b2, xb1, xb2};
}

/// Planes of the plain residual start: B1 = sign(x - mu1), B2 = sign(rest - mu2).
PlaneSums plain_planes(const double* x, std::size_t n, Fit& fit) {
  const auto count = static_cast<double>(n);
  const double first_mu = sum_of(x, n) / count;
  double first_alpha = 0;
#pragma omp simd reduction(+ : first_alpha)
  for (std::size_t j = 0; j < n; ++j) {
    first_alpha += std::fabs(x[j] - first_mu);
  }
  first_alpha /= count;
  double second_mu = 0;
#pragma omp simd reduction(+ : second_mu)
  for (std::size_t j = 0; j < n; ++j) {
    second_mu += x[j] - (first_mu + (x[j] >= first_mu ? first_alpha : -first_alpha));
  }
  second_mu /= count;
  PlaneSums s;
  double second_alpha = 0;
  for (std::size_t j = 0; j < n; ++j) {
    const double b1 = x[j] >= first_mu ? 1.0 : -1.0;
    const double rest = x[j] - (first_mu + first_alpha * b1);
    const double b2 = rest >= second_mu ? 1.0 : -1.0;
    second_alpha += std::fabs(rest - second_mu);
    s.b1 += b1;
    s.b2 += b2;
    s.b1b2 += b1 * b2;
    s.xb1 += b1 * x[j];
    s.xb2 += b2 * x[j];
  }
  fit = {first_mu + second_mu, first_alpha, second_alpha / count};
  return s;
}

Fit fit_second(const double* x, std::size_t n, int iterations) {
  if (n == 0) {
    return {};
  }
  const auto count = static_cast<double>(n);
  const double total = sum_of(x, n);
  Fit fit;
  PlaneSums s = plain_planes(x, n, fit);
  for (int sweep = 0; sweep < iterations; ++sweep) {
    const Fit last = fit;
    fit.mu = (total - fit.alpha * s.b1 - fit.residual_alpha * s.b2) / count;
    fit.alpha = (s.xb1 - fit.mu * s.b1 - fit.residual_alpha * s.b1b2) / (count + kTiny);
    fit.residual_alpha = (s.xb2 - fit.mu * s.b2 - fit.alpha * s.b1b2) / (count + kTiny);
    if (fit.mu == last.mu && fit.alpha == last.alpha && fit.residual_alpha == last.residual_alpha) {
      break;
    }
    s = nearest_of_four(x, n, fit);
  }
  return fit;
}

/// Sorts a row's entries by group: bucket g begins at starts[g]; the salient ones come last.
void bucket_row(std::span<const float> x, std::span<const std::uint8_t> group, std::size_t groups,
                std::vector<double>& sorted, std::vector<std::size_t>& starts) {
  std::fill(starts.begin(), starts.end(), 0);
  const auto bucket = [&](std::size_t j) {
    return group[j] == kSalientGroup ? groups : static_cast<std::size_t>(group[j]);
  };
  for (std::size_t j = 0; j < x.size(); ++j) {
    ++starts[bucket(j) + 1];
  }
  for (std::size_t g = 0; g <= groups; ++g) {
    starts[g + 1] += starts[g];
  }
  std::array<std::size_t, 256> next{};
  std::copy(starts.begin(), starts.end() - 1, next.begin());
  for (std::size_t j = 0; j < x.size(); ++j) {
    sorted[next[bucket(j)]++] = static_cast<double>(x[j]);
  }
}

}  // namespace

PanelScales CpuArbSession::fit(MatrixView<const float> x, const PanelGroups& groups,
                               const FitParams& params) {
  BTC_CHECK(params.rule == FitRule::kArb, "unknown fit rule");
  const std::size_t rows = x.rows();
  const bool salient = !groups.salient.empty();
  PanelScales scales;
  scales.alpha = Matrix<float>(rows, groups.count);
  scales.mu = Matrix<float>(rows, groups.count);
  scales.salient_alpha = salient ? Matrix<float>(rows, 2) : Matrix<float>();
  scales.salient_mu.resize(salient ? rows : 0);
  workers_->for_blocks(rows, kTile, [&](std::size_t begin, std::size_t end) {
    std::vector<double> sorted(x.cols());
    std::vector<std::size_t> starts(groups.count + 2);
    for (std::size_t i = begin; i < end; ++i) {
      bucket_row(x.row(i), groups.group.row(i), groups.count, sorted, starts);
      for (std::size_t g = 0; g < groups.count; ++g) {
        const Fit fit = fit_first(&sorted[starts[g]], starts[g + 1] - starts[g], params.iterations);
        scales.alpha(i, g) = static_cast<float>(fit.alpha);
        scales.mu(i, g) = static_cast<float>(fit.mu);
      }
      if (salient) {
        const std::size_t first = starts[groups.count];
        const Fit fit = fit_second(&sorted[first], x.cols() - first, params.iterations);
        scales.salient_alpha(i, 0) = static_cast<float>(fit.alpha);
        scales.salient_alpha(i, 1) = static_cast<float>(fit.residual_alpha);
        scales.salient_mu[i] = static_cast<float>(fit.mu);
      }
    }
  });
  return scales;
}

}  // namespace btc
