#pragma once
/// The alternating fit of a panel on sums alone, as the CPU backend has it: with B = sign(x - mu) a
/// sweep needs only the number and the sum of the entries above mu, and while mu cuts the entries
/// at the same place no entry is read again. A team takes one row and group; its members pack the
/// entries that they find, each for itself, so that nobody waits for a neighbour's count. Sums are
/// those of the members, then of the team: scales differ from the reference in a last bit at most.

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>

#include "cuda/arb/fit_panel.hpp"

namespace btc::cuda {

/// Input and results of an alternating fit, all on the device.
struct SumFitTask {
  std::size_t rows = 0;
  std::size_t width = 0;
  std::size_t groups = 0;          ///< G
  std::size_t salient_groups = 0;  ///< g; 0 without salient columns
  int iterations = 0;
  const float* x = nullptr;             ///< [n, k]
  const std::uint8_t* group = nullptr;  ///< [n, k]
  float* alpha = nullptr;               ///< [n, G]
  float* mu = nullptr;                  ///< [n, G]
  float* salient_alpha = nullptr;       ///< [n, 2g]
  float* salient_mu = nullptr;          ///< [n, g]

  /// Groups, then salient groups.
  [[nodiscard]] BTC_HD std::size_t slots() const { return groups + salient_groups; }
};

/// Most entries that a member of a team can have in a row.
constexpr std::size_t entries_per_member(std::size_t width, std::size_t team_size) {
  return ceil_div(width, team_size);
}

/// The entries of one row and group that one member has, `stride` elements apart.
struct OwnEntries {
  float* x = nullptr;
  int stride = 1;
  int count = 0;

  BTC_HD float& at(int e) const { return x[e * stride]; }
  BTC_HD double value(int e) const { return static_cast<double>(at(e)); }
};

namespace fit_sums {

/// The member's share of row i: every `team.size()`-th column, of which the slot's entries stay.
/// Loads come in batches that do not wait for each other. @param i may lie past the last row
/// @param memory the member's, of `entries_per_member`
template <class Team>
BTC_HD OwnEntries collect(const Team& team, const SumFitTask& task, std::size_t i, std::size_t slot,
                          float* memory, int stride) {
  constexpr unsigned kBatch = 8;
  const int wanted = static_cast<int>(slot < task.groups ? slot : salient_code(slot - task.groups));
  const auto step = static_cast<unsigned>(team.size());
  const auto width = static_cast<unsigned>(i < task.rows ? task.width : 0);
  const float* const x = task.x + i * width;
  const std::uint8_t* const group = task.group + i * width;
  OwnEntries own{memory, stride, 0};
  for (auto first = static_cast<unsigned>(team.rank()); first < width; first += kBatch * step) {
    float value[kBatch];
    int code[kBatch];
    for (unsigned b = 0; b < kBatch; ++b) {
      const unsigned j = first + b * step;
      value[b] = j < width ? x[j] : 0.0F;
      code[b] = j < width ? group[j] : -1;
    }
    for (unsigned b = 0; b < kBatch; ++b) {
      if (code[b] == wanted) {
        own.at(own.count) = value[b];
        ++own.count;
      }
    }
  }
  return own;
}

/// Sum of what `term` makes of each entry, the same bits for every member.
template <class Team, typename Term>
BTC_HD double sum_entries(const Team& team, const OwnEntries& own, const Term& term) {
  double sum = 0;
  for (int e = 0; e < own.count; ++e) {
    sum += term(own.value(e));
  }
  return team.sum(sum);
}

/// Where mu cuts the entries.
struct Cut {
  double count = 0;  ///< of the team's entries >= mu
  double sum = 0;
  double below = 0;  ///< the member's largest entry < mu
  double first = 0;  ///< the member's smallest entry >= mu

  /// Whether this mu leaves the member's entries on their sides.
  [[nodiscard]] BTC_HD bool holds_for(double mu) const { return below < mu && mu <= first; }
};

template <class Team>
BTC_HD Cut cut_at(const Team& team, const OwnEntries& own, double mu) {
  constexpr float kInfinity = std::numeric_limits<float>::infinity();
  int count = 0;
  double sum = 0;
  float below = -kInfinity;
  float first = kInfinity;
  for (int e = 0; e < own.count; ++e) {
    const float x = own.at(e);
    const auto value = static_cast<double>(x);
    const bool above = value >= mu;
    count += above ? 1 : 0;
    sum += above ? value : 0.0;
    first = above && x < first ? x : first;
    below = !above && x > below ? x : below;
  }
  return {static_cast<double>(team.sum(count)), team.sum(sum), static_cast<double>(below),
          static_cast<double>(first)};
}

/// Sums over both planes of the team's entries.
struct PlaneSums {
  double b1 = 0;
  double b2 = 0;
  double b1b2 = 0;
  double xb1 = 0;
  double xb2 = 0;
};

/// @param planes_of(value) sign bits of an entry
template <class Team, typename PlanesOf>
BTC_HD PlaneSums plane_sums(const Team& team, const OwnEntries& own, const PlanesOf& planes_of) {
  int b1 = 0;
  int b2 = 0;
  int b1b2 = 0;
  double xb1 = 0;
  double xb2 = 0;
  for (int e = 0; e < own.count; ++e) {
    const double value = own.value(e);
    const std::uint8_t planes = planes_of(value);
    const bool plus1 = (planes & kFirstPlane) != 0;
    const bool plus2 = (planes & kSecondPlane) != 0;
    b1 += plus1 ? 1 : -1;
    b2 += plus2 ? 1 : -1;
    b1b2 += plus1 == plus2 ? 1 : -1;
    xb1 += plus1 ? value : -value;
    xb2 += plus2 ? value : -value;
  }
  return {static_cast<double>(team.sum(b1)), static_cast<double>(team.sum(b2)),
          static_cast<double>(team.sum(b1b2)), team.sum(xb1), team.sum(xb2)};
}

/// The plain start: B1 = sign(x - mu1), B2 = sign(rest - mu2).
template <class Team>
BTC_HD PlaneSums plain_planes(const Team& team, const OwnEntries& own, double total, double count,
                              GroupFit& fit) {
  const double mu1 = total / count;
  const double alpha1 =
      sum_entries(team, own, [=](double x) { return std::fabs(x - mu1); }) / count;
  const auto rest = [=](double x) { return x - (mu1 + (x - mu1 >= 0 ? alpha1 : -alpha1)); };
  const double mu2 = sum_entries(team, own, rest) / count;
  const double alpha2 =
      sum_entries(team, own, [=](double x) { return std::fabs(rest(x) - mu2); }) / count;
  fit = {mu1 + mu2, alpha1, alpha2};
  return plane_sums(team, own, [=](double x) {
    const unsigned first = x - mu1 >= 0 ? kFirstPlane : 0U;
    return static_cast<std::uint8_t>(first | (rest(x) - mu2 >= 0 ? kSecondPlane : 0U));
  });
}

}  // namespace fit_sums

/// @see btc::fit_alternating, 1 plane. No entries give zeros: all sums are.
template <class Team>
BTC_HD GroupFit fit_first_order(const Team& team, const OwnEntries& own, int iterations) {
  const auto entries = static_cast<double>(team.sum(own.count));
  const double total = fit_sums::sum_entries(team, own, [](double x) { return x; });
  const double count = entries > 0 ? entries : 1.0;
  const double per_entry = 1 / count;
  const double per_sign = 1 / (count + fit_detail::kTiny);
  GroupFit fit{total / count, 0, 0};
  fit_sums::Cut cut = fit_sums::cut_at(team, own, fit.mu);
  double balance = 2 * cut.count - entries;  // sum of B
  double centred = 2 * cut.sum - total;      // sum of B x
  fit.alpha = (centred - fit.mu * balance) / count;
  for (int sweep = 0; sweep < iterations; ++sweep) {
    fit.mu = (total - fit.alpha * balance) * per_entry;
    fit.alpha = (centred - fit.mu * balance) * per_sign;
    if (team.any(!cut.holds_for(fit.mu))) {
      cut = fit_sums::cut_at(team, own, fit.mu);
      balance = 2 * cut.count - entries;
      centred = 2 * cut.sum - total;
    }
  }
  return fit;
}

/// @see btc::fit_alternating, 2 planes. Ends when a sweep changes nothing.
template <class Team>
BTC_HD GroupFit fit_second_order(const Team& team, const OwnEntries& own, int iterations) {
  const auto entries = static_cast<double>(team.sum(own.count));
  const double total = fit_sums::sum_entries(team, own, [](double x) { return x; });
  const double count = entries > 0 ? entries : 1.0;
  const double per_entry = 1 / count;
  const double per_sign = 1 / (count + fit_detail::kTiny);
  GroupFit fit;
  fit_sums::PlaneSums s = fit_sums::plain_planes(team, own, total, count, fit);
  for (int sweep = 0; sweep < iterations; ++sweep) {
    const GroupFit last = fit;
    fit.mu = (total - fit.alpha * s.b1 - fit.residual_alpha * s.b2) * per_entry;
    fit.alpha = (s.xb1 - fit.mu * s.b1 - fit.residual_alpha * s.b1b2) * per_sign;
    fit.residual_alpha = (s.xb2 - fit.mu * s.b2 - fit.alpha * s.b1b2) * per_sign;
    const bool moved =
        fit.mu != last.mu || fit.alpha != last.alpha || fit.residual_alpha != last.residual_alpha;
    if (!team.any(moved) && sweep > 0) {  // the first sweep's planes are the plain ones
      break;
    }
    s = fit_sums::plane_sums(
        team, own, [&](double x) { return fit_detail::nearest_of_four(x - fit.mu, fit); });
  }
  return fit;
}

/// Scales of row i in one slot; a row past the last one only keeps the teams of a warp together.
/// @param memory the member's first of `entries_per_member` floats, `stride` elements apart
template <class Team>
BTC_HD void fit_slot_by_sums(const Team& team, const SumFitTask& task, std::size_t i,
                             std::size_t slot, float* memory, int stride) {
  const OwnEntries own = fit_sums::collect(team, task, i, slot, memory, stride);
  const GroupFit fit = slot < task.groups ? fit_first_order(team, own, task.iterations)
                                          : fit_second_order(team, own, task.iterations);
  if (i < task.rows && team.rank() == 0) {
    store_scales(task, i, slot, fit);
  }
}

}  // namespace btc::cuda
