/// The alternating fit on sums alone: with B = sign(x - mu), every sweep needs only the number and
/// the sum of the entries above mu, so a row's entries are read once per sweep and stay in L1.
#include <cmath>
#include <limits>

#include "backend/cpu/arb_session.hpp"
#include "backend/fit_groups.hpp"

namespace btc {
namespace {

constexpr std::size_t kTile = 64;
constexpr double kTiny = 1e-8;  // as in the reference: an empty group gives 0

/// The entries >= mu, and between which entries mu lies.
struct Upper {
  double count = 0;
  double sum = 0;
  double below = 0;  ///< largest entry < mu
  double first = 0;  ///< smallest entry >= mu
  /// Whether mu cuts the entries at the same place.
  [[nodiscard]] bool holds_for(double mu) const { return below < mu && mu <= first; }
};

Upper upper_of(const double* x, std::size_t n, double mu) {
  constexpr double kLargest = std::numeric_limits<double>::max();
  double count = 0;
  double sum = 0;
  double below = -kLargest;
  double first = kLargest;
#pragma omp simd reduction(+ : count, sum) reduction(max : below) reduction(min : first)
  for (std::size_t j = 0; j < n; ++j) {
    const bool above = x[j] >= mu;
    count += above ? 1.0 : 0.0;
    sum += above ? x[j] : 0.0;
    const double low = above ? -kLargest : x[j];
    const double high = above ? x[j] : kLargest;
    below = low > below ? low : below;
    first = high < first ? high : first;
  }
  return {count, sum, below, first};
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
  double centred = 2 * upper.sum - total;    // sum of B x
  fit.alpha = (centred - fit.mu * balance) / count;
  const double per_entry = 1 / count;
  const double per_sign = 1 / (count + kTiny);
  for (int sweep = 0; sweep < iterations; ++sweep) {
    fit.mu = (total - fit.alpha * balance) * per_entry;
    fit.alpha = (centred - fit.mu * balance) * per_sign;
    if (!upper.holds_for(fit.mu)) {
      upper = upper_of(x, n, fit.mu);
      balance = 2 * upper.count - count;
      centred = 2 * upper.sum - total;
    }
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

/// The entries of one group of a row, packed to the front of `packed` [k + 1]; returns their
/// number.
std::size_t pack_group(std::span<const float> x, std::span<const std::uint8_t> group,
                       std::size_t wanted, double* packed) {
  std::size_t count = 0;
  for (std::size_t j = 0; j < x.size(); ++j) {
    packed[count] = static_cast<double>(x[j]);  // overwritten by the next one unless it counts
    count += static_cast<std::size_t>(group[j] == wanted);
  }
  return count;
}

}  // namespace

PanelFit CpuArbSession::fit(MatrixView<const float> x, const PanelGroups& groups,
                            const FitParams& params) {
  if (params.rule == FitRule::kArbRc) {
    return fit_row_column_panel(x, groups, params.iterations);
  }
  PanelFit result = empty_fit(x, groups, keeps_own_signs(params.rule));
  if (params.rule != FitRule::kArb || params.solver == FitSolver::kExact) {
    workers_->for_blocks(x.rows(), kTile, [&](std::size_t begin, std::size_t end) {
      fit_rows(x, groups, params, begin, end, result);
    });
    return result;
  }
  PanelScales& scales = result.scales;
  workers_->for_blocks(x.rows(), kTile, [&](std::size_t begin, std::size_t end) {
    std::vector<double> entries(x.cols() + 1);
    for (std::size_t i = begin; i < end; ++i) {
      for (std::size_t g = 0; g < groups.count; ++g) {
        const std::size_t n = pack_group(x.row(i), groups.group.row(i), g, entries.data());
        const Fit fit = fit_first(entries.data(), n, params.iterations);
        scales.alpha(i, g) = static_cast<float>(fit.alpha);
        scales.mu(i, g) = static_cast<float>(fit.mu);
      }
      for (std::size_t s = 0; s < groups.salient_count && !groups.salient.empty(); ++s) {
        const std::size_t n =
            pack_group(x.row(i), groups.group.row(i), salient_code(s), entries.data());
        const Fit fit = fit_second(entries.data(), n, params.iterations);
        scales.salient_alpha(i, 2 * s) = static_cast<float>(fit.alpha);
        scales.salient_alpha(i, 2 * s + 1) = static_cast<float>(fit.residual_alpha);
        scales.salient_mu[i * groups.salient_count + s] = static_cast<float>(fit.mu);
      }
    }
  });
  return result;
}

}  // namespace btc
