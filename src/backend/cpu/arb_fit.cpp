/// The alternating fit. First order on sums alone: with B = sign(x - mu), every sweep needs only
/// the number and the sum of the entries above mu, so a row's entries are read once per sweep and
/// stay in L1. Salient entries are as the reference fits them: a row has so few that what the first
/// plane leaves can be rounding noise, whose sign then decides, so each sum keeps its order.
#include <algorithm>
#include <limits>
#include <span>
#include <vector>

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
};

Fit fit_first(const double* x, std::size_t n, int iterations) {
  if (n == 0) {
    return {};
  }
  const auto count = static_cast<double>(n);
  const double total = sum_of(x, n);
  Fit fit{total / count, 0};
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
  workers_->for_blocks(x.rows(), kTile, [&](std::size_t begin, std::size_t end) {
    std::vector<double> entries(x.cols() + 1);
    for (std::size_t i = begin; i < end; ++i) {
      for (std::size_t g = 0; g < groups.count; ++g) {
        const std::size_t n = pack_group(x.row(i), groups.group.row(i), g, entries.data());
        const Fit fit = fit_first(entries.data(), n, params.iterations);
        result.scales.alpha(i, g) = static_cast<float>(fit.alpha);
        result.scales.mu(i, g) = static_cast<float>(fit.mu);
      }
    }
    fit_salient_rows(x, groups, params, begin, end, result);
  });
  return result;
}

}  // namespace btc
