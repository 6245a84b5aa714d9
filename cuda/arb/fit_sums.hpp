#pragma once
/// The alternating fit of first order on sums alone, as the CPU backend has it: with
/// B = sign(x - mu) a sweep needs only the number and the sum of the entries above mu, and while mu
/// cuts the entries at the same place no entry is read again. A team takes one row and group; its
/// members pack the entries that they find, each for itself, so that nobody waits for a neighbour's
/// count. Sums are those of the members, then of the team: scales differ from the reference in a
/// last bit at most.

#include <cstddef>
#include <cstdint>
#include <limits>

#include "cuda/arb/fit_panel.hpp"

namespace btc::cuda {

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

/// The member's share of row i: every `team.size()`-th column, of which the group's entries stay.
/// @param i may lie past the last row
/// @param memory the member's, of `entries_per_member`
template <class Team>
BTC_HD OwnEntries collect(const Team& team, const AlternatingTask& task, std::size_t i,
                          std::size_t g, float* memory, int stride) {
  OwnEntries own{memory, stride, 0};
  take_entries(
      task, i, static_cast<std::uint8_t>(g), static_cast<unsigned>(team.rank()),
      static_cast<unsigned>(i < task.rows ? task.width : 0), static_cast<unsigned>(team.size()),
      [](unsigned j) { return j; }, [&](float x) { own.at(own.count++) = x; });
  return own;
}

/// The same bits for every member.
template <class Team>
BTC_HD double sum_entries(const Team& team, const OwnEntries& own) {
  double sum = 0;
  for (int e = 0; e < own.count; ++e) {
    sum += own.value(e);
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

}  // namespace fit_sums

/// @see btc::fit_alternating, 1 plane. No entries give zeros: all sums are.
template <class Team>
BTC_HD GroupFit fit_first_order(const Team& team, const OwnEntries& own, int iterations) {
  const auto entries = static_cast<double>(team.sum(own.count));
  const double total = fit_sums::sum_entries(team, own);
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

/// Scales of row i in group g; a row past the last one only keeps the teams of a warp together.
/// @param memory the member's first of `entries_per_member` floats, `stride` elements apart
template <class Team>
BTC_HD void fit_group_by_sums(const Team& team, const AlternatingTask& task, std::size_t i,
                              std::size_t g, float* memory, int stride) {
  const OwnEntries own = fit_sums::collect(team, task, i, g, memory, stride);
  const GroupFit fit = fit_first_order(team, own, task.iterations);
  if (i < task.rows && team.rank() == 0) {
    store_scales(task, i, g, fit);
  }
}

}  // namespace btc::cuda
