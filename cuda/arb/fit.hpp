#pragma once
/// Fits of a panel's groups. One thread goes through the entries of one row and group in ascending
/// columns, so that every double sum has the order of `backend/row_fit` and all bits are equal to
/// it; the parallelism is that of rows and groups.

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>

#include "backend/fit_rule.hpp"
#include "backend/panel.hpp"
#include "cuda/arb/group_entries.hpp"

namespace btc::cuda {

struct GroupFit {
  double mu = 0;
  double alpha = 0;
  double residual_alpha = 0;
};

namespace fit_detail {

/// As in the reference: an empty group gives 0.
inline constexpr double kTiny = 1e-8;
inline constexpr double kTinyEnergy = 1e-10;

/// Takes one plain plane of what `rest(e)` says is left: adds its mean to `mu`, sets its sign bits.
/// @return alpha
template <typename Rest>
BTC_HD double take_plane(const GroupEntries& entries, std::uint8_t plane, const Rest& rest,
                         double& mu) {
  const auto count = static_cast<double>(entries.count);
  const double mean = sum_entries(entries, [&](std::size_t e) { return rest(e, mu); }) / count;
  double sum = 0;
  for (std::size_t e = 0; e < entries.count; ++e) {
    const double left = rest(e, mu) - mean;
    sum += std::fabs(left);
    std::uint8_t& bits = entries.sign_bits(e);
    const auto others = static_cast<std::uint8_t>(bits & ~plane);
    bits = static_cast<std::uint8_t>(left >= 0 ? others | plane : others);
  }
  mu += mean;
  return sum / count;
}

/// alpha = sum B (x - mu - other B2) / sum B^2.
template <int kPlanes>
BTC_HD double refit_alpha(const GroupEntries& entries, std::uint8_t plane, double mu,
                          double other) {
  const double sum = sum_entries(entries, [&](std::size_t e) {
    double rest = entries.value(e) - mu;
    if constexpr (kPlanes == 2) {
      rest -= entries.signed_by(static_cast<std::uint8_t>(plane ^ 3U), e, other);
    }
    return entries.signed_by(plane, e, rest);
  });
  return sum / (static_cast<double>(entries.count) + kTiny);
}

/// Sign bits of the nearest of the four values, first on ties in the order (-,-), (-,+), (+,-),
/// (+,+).
BTC_HD inline std::uint8_t nearest_of_four(double target, const GroupFit& fit) {
  double best = std::fabs(target - (-fit.alpha - fit.residual_alpha));
  std::uint8_t bits = 0;
  const auto offer = [&](double value, std::uint8_t planes) {
    const double distance = std::fabs(target - value);
    bits = distance < best ? planes : bits;
    best = distance < best ? distance : best;
  };
  offer(-fit.alpha + fit.residual_alpha, kSecondPlane);
  offer(fit.alpha - fit.residual_alpha, kFirstPlane);
  offer(fit.alpha + fit.residual_alpha, kFirstPlane | kSecondPlane);
  return bits;
}

/// Past the end a batch sets entry 0 again, to the same.
template <int kPlanes>
BTC_HD void choose_signs(const GroupEntries& entries, const GroupFit& fit) {
  const auto count = static_cast<unsigned>(entries.count);
  for (unsigned first = 0; first < count; first += kEntryBatch) {
    std::uint8_t bits[kEntryBatch];
    unsigned e[kEntryBatch];
    for (unsigned b = 0; b < kEntryBatch; ++b) {
      e[b] = first + b < count ? first + b : 0;
      const double target = entries.value(e[b]) - fit.mu;
      if constexpr (kPlanes == 2) {
        bits[b] = nearest_of_four(target, fit);
      } else {
        bits[b] = target >= 0 ? kFirstPlane : std::uint8_t{0};
      }
    }
    for (unsigned b = 0; b < kEntryBatch; ++b) {
      entries.sign_bits(e[b]) = bits[b];
    }
  }
}

/// Ascending. Shell's method: any number of entries, no memory of its own.
BTC_HD inline void sort_entries(const GroupEntries& entries) {
  for (std::size_t gap = entries.count / 2; gap > 0; gap = gap == 2 ? 1 : gap * 5 / 11) {
    for (std::size_t e = gap; e < entries.count; ++e) {
      const float moved = entries.x[e * kTileRows];
      std::size_t at = e;
      for (; at >= gap && entries.x[(at - gap) * kTileRows] > moved; at -= gap) {
        entries.x[at * kTileRows] = entries.x[(at - gap) * kTileRows];
      }
      entries.x[at * kTileRows] = moved;
    }
  }
}

/// Products with S of the panel's inputs, restricted to the entries: of 1, B and R with each other
/// and with w.
struct MetricSums {
  double one_one = 0;
  double one_sign = 0;
  double one_second = 0;
  double sign_sign = 0;
  double sign_second = 0;
  double second_second = 0;
  double w_one = 0;
  double w_sign = 0;
  double w_second = 0;
};

template <int kPlanes>
BTC_HD MetricSums metric_sums(const GroupEntries& entries, MatrixView<const float> gram) {
  MetricSums sums;
  for (std::size_t a = 0; a < entries.count; ++a) {
    double ones = 0;  // S 1, S B and S R in the place of entry a
    double sign = 0;
    double second = 0;
    for (std::size_t b = 0; b < entries.count; ++b) {
      const auto s = static_cast<double>(gram(entries.column(a), entries.column(b)));
      ones += s;
      sign += entries.signed_by(kFirstPlane, b, s);
      if constexpr (kPlanes == 2) {
        second += entries.signed_by(kSecondPlane, b, s);
      }
    }
    const double w = entries.value(a);
    sums.one_one += ones;
    sums.one_sign += sign;
    sums.sign_sign += entries.signed_by(kFirstPlane, a, sign);
    sums.w_one += w * ones;
    sums.w_sign += w * sign;
    if constexpr (kPlanes == 2) {
      sums.one_second += second;
      sums.sign_second += entries.signed_by(kFirstPlane, a, second);
      sums.second_second += entries.signed_by(kSecondPlane, a, second);
      sums.w_second += w * second;
    }
  }
  return sums;
}

}  // namespace fit_detail

/// @see btc::fit_plain
template <int kPlanes>
BTC_HD GroupFit fit_plain(const GroupEntries& entries) {
  GroupFit fit;
  if (entries.count == 0) {
    return fit;
  }
  const auto first = [&](std::size_t e, double) { return entries.value(e); };
  fit.alpha = fit_detail::take_plane(entries, kFirstPlane, first, fit.mu);
  if constexpr (kPlanes == 2) {
    const double alpha = fit.alpha;
    const auto second = [&](std::size_t e, double mu) {
      return entries.value(e) - (mu + entries.signed_by(kFirstPlane, e, alpha));
    };
    fit.residual_alpha = fit_detail::take_plane(entries, kSecondPlane, second, fit.mu);
  }
  return fit;
}

/// @see btc::fit_alternating
template <int kPlanes>
BTC_HD GroupFit fit_alternating(const GroupEntries& entries, int iterations) {
  GroupFit fit = fit_plain<kPlanes>(entries);
  for (int sweep = 0; sweep < iterations && entries.count > 0; ++sweep) {
    const double rest = sum_entries(entries, [&](std::size_t e) {
      double value = entries.signed_by(kFirstPlane, e, fit.alpha);
      if constexpr (kPlanes == 2) {
        value += entries.signed_by(kSecondPlane, e, fit.residual_alpha);
      }
      return entries.value(e) - (value + fit.mu);
    });
    fit.mu += rest / static_cast<double>(entries.count);
    fit.alpha = fit_detail::refit_alpha<kPlanes>(entries, kFirstPlane, fit.mu, fit.residual_alpha);
    if constexpr (kPlanes == 2) {
      fit.residual_alpha =
          fit_detail::refit_alpha<kPlanes>(entries, kSecondPlane, fit.mu, fit.alpha);
    }
    fit_detail::choose_signs<kPlanes>(entries, fit);
  }
  return fit;
}

/// Sorts the entries. @see btc::fit_two_levels
BTC_HD inline GroupFit fit_two_levels(const GroupEntries& entries) {
  GroupFit fit;
  if (entries.count == 0) {
    return fit;
  }
  fit_detail::sort_entries(entries);
  const auto count = static_cast<double>(entries.count);
  double total = 0;
  for (std::size_t e = 0; e < entries.count; ++e) {
    total += entries.value(e);
  }
  fit.mu = total / count;
  double best = total * total / count;
  double low = 0;
  for (std::size_t cut = 1; cut < entries.count; ++cut) {
    low += entries.value(cut - 1);
    const auto below = static_cast<double>(cut);
    const double high = total - low;
    const double gain = low * low / below + high * high / (count - below);
    if (entries.value(cut) > entries.value(cut - 1) && gain > best) {
      best = gain;
      const double lower = low / below;
      const double upper = high / (count - below);
      fit.mu = (lower + upper) / 2;
      fit.alpha = (upper - lower) / 2;
    }
  }
  return fit;
}

/// @see btc::fit_in_metric
template <int kPlanes>
BTC_HD GroupFit fit_in_metric(const GroupEntries& entries, MatrixView<const float> gram,
                              int iterations) {
  GroupFit fit = fit_alternating<kPlanes>(entries, iterations);
  const fit_detail::MetricSums s = fit_detail::metric_sums<kPlanes>(entries, gram);
  const double one_one = s.one_one + fit_detail::kTinyEnergy;
  const double sign_sign = s.sign_sign + fit_detail::kTinyEnergy;
  const double second_second = s.second_second + fit_detail::kTinyEnergy;
  for (int sweep = 0; sweep < iterations; ++sweep) {
    fit.mu = (s.w_one - fit.alpha * s.one_sign - fit.residual_alpha * s.one_second) / one_one;
    fit.alpha = (s.w_sign - fit.mu * s.one_sign - fit.residual_alpha * s.sign_second) / sign_sign;
    if constexpr (kPlanes == 2) {
      fit.residual_alpha =
          (s.w_second - fit.mu * s.one_second - fit.alpha * s.sign_second) / second_second;
    }
  }
  return fit;
}

}  // namespace btc::cuda
