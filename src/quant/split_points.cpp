#include "quant/split_points.hpp"

#include <Eigen/Core>
#include <algorithm>
#include <array>
#include <cmath>
#include <limits>

#include "backend/row_fit.hpp"
#include "quant/quantiles.hpp"
#include "quant/saliency.hpp"

namespace btc {
namespace {

/// How the metric of fixed entries is binarized. In the published code arb_x does it as arb, and
/// arb_rc without sweeps outside the salient columns.
FitParams metric_fit(const BinarizeParams& params, bool salient) {
  switch (params.method) {
    case FitRule::kPlain:
      return {FitRule::kPlain, params.iterations};
    case FitRule::kArbRc:
      return {FitRule::kArbRc, salient ? params.iterations : 0};
    case FitRule::kArb:
    case FitRule::kArbX:
      break;
  }
  return {FitRule::kArb, params.iterations};
}

/// Reconstruction of group `g` of `metric`, added to `fixed`.
void fix_group(ArbSession& session, const Matrix<float>& metric, const PanelGroups& groups,
               std::uint8_t g, const FitParams& params, SplitState& state) {
  const PanelFit fit = session.fit(metric.view(), groups, params);
  const PanelCode code = fitted_code(metric.view(), groups, fit);
  const Matrix<float> reconstruction = dequantize_panel(fit.scales, groups, code);
  for (std::size_t i = 0; i < metric.rows(); ++i) {
    for (std::size_t j = 0; j < metric.cols(); ++j) {
      if (groups.group(i, j) == g) {
        state.fixed(i, j) = reconstruction(i, j);
        state.available(i, j) = 0;
      }
    }
  }
}

std::vector<float> candidate_thresholds(const Matrix<float>& metric, const SplitState& state) {
  std::vector<float> values(metric.size());
  for (std::size_t e = 0; e < values.size(); ++e) {
    values[e] = state.available.values()[e] != 0 ? metric.values()[e] : 0.0F;
  }
  const auto levels = quantile_levels();
  return quantiles(values, levels);
}

/// Two groups: 1 holds the available entries from the threshold on.
PanelGroups cut(const Matrix<float>& metric, const SplitState& state, float threshold) {
  PanelGroups groups;
  groups.count = 2;
  groups.group = Matrix<std::uint8_t>(metric.rows(), metric.cols(), 0);
  for (std::size_t e = 0; e < metric.size(); ++e) {
    const bool upper = state.available.values()[e] != 0 && metric.values()[e] >= threshold;
    groups.group.values()[e] = upper ? 1 : 0;
  }
  return groups;
}

/// Writes the error of plain first-order binarization of these entries of a row to `error`.
void add_plain_error(std::span<const float> x, std::span<const std::size_t> columns,
                     std::span<double> error) {
  const RowFit fit = fit_plain(x, 1);
  for (std::size_t e = 0; e < x.size(); ++e) {
    error[columns[e]] = static_cast<double>(x[e]) - (fit.mu + fit.alpha * fit.sign[e]);
  }
}

/// Error of one row of the metric when its available entries are cut at the threshold.
void metric_error(std::span<const float> metric, std::span<const float> fixed,
                  std::span<const std::uint8_t> available, float threshold,
                  std::span<double> error) {
  std::array<std::vector<float>, 2> part;
  std::array<std::vector<std::size_t>, 2> columns;
  for (std::size_t j = 0; j < metric.size(); ++j) {
    if (available[j] == 0) {
      error[j] = static_cast<double>(metric[j]) - static_cast<double>(fixed[j]);
      continue;
    }
    const std::size_t upper = metric[j] >= threshold ? 1 : 0;
    part.at(upper).push_back(metric[j]);
    columns.at(upper).push_back(j);
  }
  add_plain_error(part[0], columns[0], error);
  add_plain_error(part[1], columns[1], error);
}

/// tr(R S R^T) for each threshold.
std::vector<double> score_in_metric(const Matrix<float>& metric, const SplitState& state,
                                    std::span<const float> thresholds,
                                    MatrixView<const float> gram) {
  using RowMajor = Eigen::Matrix<double, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
  using Eigen::Index;
  BTC_CHECK(gram.rows() == metric.cols(), "Gram matrix of ", gram.rows(), " columns, panel of ",
            metric.cols());
  const auto k = static_cast<Index>(metric.cols());
  RowMajor s(k, k);
  for (Index i = 0; i < k; ++i) {
    for (Index j = 0; j < k; ++j) {
      s(i, j) = static_cast<double>(gram(static_cast<std::size_t>(i), static_cast<std::size_t>(j)));
    }
  }
  RowMajor error(static_cast<Index>(metric.rows()), k);
  std::vector<double> scores;
  for (const float threshold : thresholds) {
    for (std::size_t i = 0; i < metric.rows(); ++i) {
      metric_error(metric.row(i), state.fixed.row(i), state.available.row(i), threshold,
                   {error.data() + i * metric.cols(), metric.cols()});
    }
    scores.push_back((error * s).cwiseProduct(error).sum());
  }
  return scores;
}

/// Index of the first smallest score below `best`, which is lowered to it; 0 if none is.
std::size_t improve(const std::vector<double>& scores, double& best) {
  std::size_t index = 0;
  for (std::size_t c = 0; c < scores.size(); ++c) {
    if (scores[c] < best) {
      best = scores[c];
      index = c;
    }
  }
  return index;
}

/// Squared error of plain second-order binarization of the available entries of a row, cut at the
/// threshold.
double salient_error(std::span<const float> metric, std::span<const std::uint8_t> available,
                     float threshold) {
  std::array<std::vector<float>, 2> part;
  for (std::size_t j = 0; j < metric.size(); ++j) {
    if (available[j] != 0) {
      part.at(metric[j] >= threshold ? 1 : 0).push_back(metric[j]);
    }
  }
  double sum = 0;
  for (const std::vector<float>& x : part) {
    const RowFit fit = fit_plain(x, 2);
    for (std::size_t e = 0; e < x.size(); ++e) {
      const double q = fit.mu + fit.alpha * fit.sign[e] + fit.residual_alpha * fit.residual[e];
      sum += std::pow(static_cast<double>(x[e]) - q, 2);
    }
  }
  return sum;
}

/// Quantiles of the available entries that are not 0; none if there is no such entry.
std::vector<float> salient_thresholds(const Matrix<float>& metric, const SplitState& state) {
  std::vector<float> values;
  for (std::size_t e = 0; e < metric.size(); ++e) {
    if (state.available.values()[e] != 0 && metric.values()[e] != 0.0F) {
      values.push_back(metric.values()[e]);
    }
  }
  return values.empty() ? values : quantiles(values, quantile_levels());
}

/// Sum over the panel of (S - S^)^2 when the available entries are cut at each threshold; what has
/// no group yet and is not available counts as lost.
std::vector<double> score_salient_splits(const Matrix<float>& metric, const SplitState& state,
                                         std::span<const float> thresholds) {
  double outside = 0;
  for (std::size_t e = 0; e < metric.size(); ++e) {
    if (state.available.values()[e] == 0) {
      outside += std::pow(
          static_cast<double>(metric.values()[e]) - static_cast<double>(state.fixed.values()[e]),
          2);
    }
  }
  std::vector<double> scores;
  for (const float threshold : thresholds) {
    double sum = outside;
    for (std::size_t i = 0; i < metric.rows(); ++i) {
      sum += salient_error(metric.row(i), state.available.row(i), threshold);
    }
    scores.push_back(sum);
  }
  return scores;
}

/// Splits the entries of the salient columns into groups as well, from the upper one down.
/// @see ARB-LLM Sec. 3.4 (column-group bitmap)
void split_salient(ArbSession& session, const Matrix<float>& metric, const BinarizeParams& params,
                   PanelGroups& groups) {
  groups.salient_count = static_cast<std::size_t>(params.split_points) + 1;
  SplitState state{Matrix<std::uint8_t>(metric.rows(), metric.cols(), 0),
                   Matrix<float>(metric.rows(), metric.cols())};
  for (std::size_t e = 0; e < metric.size(); ++e) {
    state.available.values()[e] = is_salient(groups.group.values()[e]) ? 1 : 0;
  }
  double best = std::numeric_limits<double>::infinity();
  for (std::size_t g = groups.salient_count - 1; g > 0; --g) {
    const std::vector<float> thresholds = salient_thresholds(metric, state);
    if (thresholds.empty()) {
      return;
    }
    const std::size_t chosen = improve(score_salient_splits(metric, state, thresholds), best);
    const PanelGroups upper = cut(metric, state, thresholds[chosen]);
    PanelGroups parts = ungrouped(metric.rows(), metric.cols(), groups.salient);
    parts.salient_count = 2;
    for (std::size_t e = 0; e < metric.size(); ++e) {
      if (upper.group.values()[e] == 1) {
        groups.group.values()[e] = salient_code(g);
        parts.group.values()[e] = salient_code(1);
      }
    }
    if (g > 1) {
      fix_group(session, metric, parts, salient_code(1), {FitRule::kPlain, 0}, state);
    }
  }
}

void split_greedily(ArbSession& session, Panel panel, const Matrix<float>& metric,
                    const BinarizeParams& params, MatrixView<const float> gram, SplitState& state,
                    PanelGroups& groups) {
  double best = std::numeric_limits<double>::infinity();
  for (int g = params.split_points; g > 0; --g) {
    const std::vector<float> thresholds = candidate_thresholds(metric, state);
    const MatrixView<const float> candidates(thresholds.data(), thresholds.size(), 1);
    const std::size_t chosen =
        improve(params.method == FitRule::kArbX ? score_in_metric(metric, state, thresholds, gram)
                                                : session.score_splits(panel, state, candidates),
                best);
    const PanelGroups upper = cut(metric, state, thresholds[chosen]);
    for (std::size_t e = 0; e < metric.size(); ++e) {
      if (upper.group.values()[e] == 1) {
        groups.group.values()[e] = static_cast<std::uint8_t>(g);
      }
    }
    if (g > 1) {
      fix_group(session, metric, upper, 1, metric_fit(params, false), state);
    }
  }
}

void split_by_ratio(ArbSession& session, Panel panel, const Matrix<float>& metric,
                    const BinarizeParams& params, const SplitState& state, PanelGroups& groups) {
  const std::vector<float> lowest = candidate_thresholds(metric, state);
  Matrix<float> candidates(lowest.size(), static_cast<std::size_t>(params.split_points));
  for (std::size_t c = 0; c < candidates.rows(); ++c) {
    for (std::size_t s = 0; s < candidates.cols(); ++s) {
      candidates(c, s) = std::ldexp(lowest[c], static_cast<int>(s));
    }
  }
  double best = std::numeric_limits<double>::infinity();
  const auto scores = session.score_splits(panel, state, candidates.view());
  const auto thresholds = candidates.row(improve(scores, best));
  for (std::size_t e = 0; e < metric.size(); ++e) {
    if (!is_salient(groups.group.values()[e])) {
      const auto g = std::count_if(thresholds.begin(), thresholds.end(),
                                   [&](float t) { return metric.values()[e] >= t; });
      groups.group.values()[e] = static_cast<std::uint8_t>(g);
    }
  }
}

std::size_t count_plain(std::span<const std::uint8_t> groups) {
  return groups.size() -
         static_cast<std::size_t>(std::count_if(groups.begin(), groups.end(), is_salient));
}

/// |w| / rms of the non-salient entries of a row. @param values as many as there are
/// @return rms
float relative_row(std::span<const float> w, std::span<const std::uint8_t> groups,
                   std::span<float> values) {
  double sum = 0;
  std::size_t count = 0;
  for (std::size_t j = 0; j < w.size(); ++j) {
    if (!is_salient(groups[j])) {
      BTC_CHECK(count < values.size(), "a row has more than ", count, " plain entries");
      values[count++] = std::fabs(w[j]);
      sum += static_cast<double>(w[j]) * static_cast<double>(w[j]);
    }
  }
  BTC_CHECK(count == values.size(), "a row has ", count, " plain entries of ", values.size());
  const float rms =
      count == 0 ? 0.0F : static_cast<float>(std::sqrt(sum / static_cast<double>(count)));
  for (float& value : values) {
    value = rms > 0 ? value / rms : 0.0F;
  }
  return rms;
}

/// |w| / rms of every non-salient entry, row after row; each row has the same number of them.
std::vector<float> relative_magnitudes(MatrixView<const float> w,
                                       MatrixView<const std::uint8_t> groups, const RowBlocks& rows,
                                       std::vector<float>& rms) {
  const std::size_t count = w.rows() == 0 ? 0 : count_plain(groups.row(0));
  std::vector<float> values(w.rows() * count);
  rows(w.rows(), [&](std::size_t begin, std::size_t end) {
    for (std::size_t i = begin; i < end; ++i) {
      rms[i] = relative_row(w.row(i), groups.row(i), std::span(values).subspan(i * count, count));
    }
  });
  return values;
}

/// Sums of a histogram over relative magnitudes; the last bin is open.
///
/// Floats that share a bin share their exponent or nearly so: doubles add them without rounding,
/// and the parts of a sum may come in any order. The lowest bin holds all smaller exponents; its
/// values are added one by one.
class MagnitudeHistogram {
 public:
  MagnitudeHistogram(std::span<const float> values, const RowBlocks& blocks)
      : count_(kBins + 1, 0.0), sum_(kBins + 1, 0.0) {
    const std::size_t size = std::max(kLeast, ceil_div(values.size(), kMostParts));
    std::vector<Part> parts(ceil_div(values.size(), size));
    blocks.each(parts.size(), [&](std::size_t p) {
      parts[p].add(values.subspan(p * size, std::min(size, values.size() - p * size)));
    });
    for (const Part& part : parts) {
      add(part);
    }
    for (std::size_t b = 0; b < kBins; ++b) {
      count_[b + 1] += count_[b];
      sum_[b + 1] += sum_[b];
    }
  }
  /// Mean of the values between two thresholds, or the middle if there is none.
  [[nodiscard]] double mean(double low, double high) const {
    const std::size_t a = edge(low);
    const std::size_t b = edge(high);
    const double count = count_[b] - count_[a];
    return count > 0 ? (sum_[b] - sum_[a]) / count : (low + std::min(high, kRange)) / 2;
  }
  /// Value below which this share of the values lies, to a bin.
  [[nodiscard]] double quantile(double share) const {
    const auto bin = std::lower_bound(count_.begin(), count_.end(), share * count_.back());
    return static_cast<double>(bin - count_.begin()) / kPerUnit;
  }

 private:
  static constexpr std::size_t kBins = 8192;
  static constexpr float kPerUnit = 512.0F;
  static constexpr float kLastBin = kBins - 1;
  static constexpr double kRange = kBins / static_cast<double>(kPerUnit);
  static constexpr std::size_t kLeast = std::size_t{1} << 16U;  // values of a part
  static constexpr std::size_t kMostParts = 64;

  /// Sums of some of the values, without those of the lowest bin.
  struct Part {
    std::vector<double> count;
    std::vector<double> sum;
    std::vector<float> lowest;

    void add(std::span<const float> values) {
      count.assign(kBins, 0.0);
      sum.assign(kBins, 0.0);
      for (const float value : values) {
        const auto bin = static_cast<std::size_t>(std::min(value * kPerUnit, kLastBin));
        count[bin] += 1;
        sum[bin] += static_cast<double>(value);
        if (bin == 0) {
          lowest.push_back(value);
        }
      }
    }
  };

  void add(const Part& part) {
    for (std::size_t b = 0; b < kBins; ++b) {
      count_[b + 1] += part.count[b];
      sum_[b + 1] += b == 0 ? 0.0 : part.sum[b];
    }
    for (const float value : part.lowest) {
      sum_[1] += static_cast<double>(value);
    }
  }
  [[nodiscard]] static std::size_t edge(double threshold) {
    return static_cast<std::size_t>(std::lround(
        std::min(threshold * static_cast<double>(kPerUnit), static_cast<double>(kBins))));
  }
  std::vector<double> count_;  // of the values below bin b
  std::vector<double> sum_;
};

/// Lloyd-Max: each threshold lies in the middle of the means beside it.
std::vector<float> lloyd_max_thresholds(std::span<const float> values, std::size_t splits,
                                        const RowBlocks& blocks) {
  constexpr int kSweeps = 100;
  const MagnitudeHistogram histogram(values, blocks);
  std::vector<double> edges(splits + 2, 0.0);
  edges.back() = std::numeric_limits<double>::infinity();
  for (std::size_t s = 1; s <= splits; ++s) {
    edges[s] = histogram.quantile(static_cast<double>(s) / static_cast<double>(splits + 1));
  }
  for (int sweep = 0; sweep < kSweeps; ++sweep) {
    std::vector<double> means;
    for (std::size_t g = 0; g <= splits; ++g) {
      means.push_back(histogram.mean(edges[g], edges[g + 1]));
    }
    for (std::size_t s = 1; s <= splits; ++s) {
      edges[s] = (means[s - 1] + means[s]) / 2;
    }
  }
  return {edges.begin() + 1, edges.end() - 1};
}

std::vector<float> fraction_thresholds(std::span<const float> values,
                                       std::span<const double> shares) {
  std::vector<std::size_t> ranks;
  double above = 0;
  for (const double share : shares) {
    above += share;
    const auto upper =
        static_cast<std::size_t>(std::lround(above * static_cast<double>(values.size())));
    ranks.push_back(values.size() - std::clamp<std::size_t>(upper, 1, values.size()));
  }
  std::vector<float> thresholds = order_statistics(values, ranks);
  std::sort(thresholds.begin(), thresholds.end());
  return thresholds;
}

/// Sets the groups of a row. One pass for each threshold, none with a branch.
void group_row(std::span<const float> w, std::span<const float> thresholds,
               std::span<std::uint8_t> groups) {
  std::array<std::uint8_t, 256> found;
  for (std::size_t begin = 0; begin < w.size(); begin += found.size()) {
    const std::size_t count = std::min(found.size(), w.size() - begin);
    found.fill(0);
    for (const float threshold : thresholds) {
      for (std::size_t j = 0; j < count; ++j) {
        found[j] =
            static_cast<std::uint8_t>(found[j] + (threshold <= std::fabs(w[begin + j]) ? 1 : 0));
      }
    }
    for (std::size_t j = 0; j < count; ++j) {
      groups[begin + j] = is_salient(groups[begin + j]) ? groups[begin + j] : found[j];
    }
  }
}

}  // namespace

void split_by_metric(ArbSession& session, Panel panel, const Matrix<float>& metric,
                     const BinarizeParams& params, PanelGroups& groups,
                     MatrixView<const float> gram) {
  groups.count = static_cast<std::size_t>(params.split_points) + 1;
  if (params.split_points == 0) {
    return;
  }
  SplitState state{Matrix<std::uint8_t>(metric.rows(), metric.cols(), 1),
                   Matrix<float>(metric.rows(), metric.cols())};
  if (!groups.salient.empty()) {
    const PanelGroups salient = ungrouped(metric.rows(), metric.cols(), groups.salient);
    fix_group(session, metric, salient, kSalientGroup, metric_fit(params, true), state);
    if (params.salient_groups) {
      split_salient(session, metric, params, groups);
    }
  }
  if (params.split_rule == SplitRule::kSearch) {
    split_greedily(session, panel, metric, params, gram, state, groups);
  } else {
    split_by_ratio(session, panel, metric, params, state, groups);
  }
}

bool groups_by_magnitude(const BinarizeParams& params) {
  return params.split_points > 0 &&
         (params.split_rule == SplitRule::kMagnitude || params.split_rule == SplitRule::kFraction);
}

Matrix<float> magnitude_thresholds(MatrixView<const float> w, MatrixView<const std::uint8_t> groups,
                                   const BinarizeParams& params, const RowBlocks& rows) {
  const auto splits = static_cast<std::size_t>(params.split_points);
  std::vector<float> rms(w.rows());
  const std::vector<float> values = relative_magnitudes(w, groups, rows, rms);
  Matrix<float> thresholds(w.rows(), splits);
  if (values.empty()) {
    return thresholds;
  }
  const std::vector<float> factors = params.split_rule == SplitRule::kMagnitude
                                         ? lloyd_max_thresholds(values, splits, rows)
                                         : fraction_thresholds(values, params.group_fractions);
  for (std::size_t i = 0; i < w.rows(); ++i) {
    for (std::size_t s = 0; s < splits; ++s) {
      thresholds(i, s) = rms[i] > 0 ? factors[s] * rms[i] : std::numeric_limits<float>::max();
    }
  }
  return thresholds;
}

void restore_shares(MatrixView<const float> w, MatrixView<const std::uint8_t> groups,
                    const BinarizeParams& params, MatrixView<float> thresholds) {
  for (std::size_t s = 0; s < thresholds.cols(); ++s) {
    std::vector<float> relative;
    for (std::size_t i = 0; i < w.rows(); ++i) {
      for (std::size_t j = 0; j < w.cols(); ++j) {
        if (!is_salient(groups(i, j))) {
          relative.push_back(std::fabs(w(i, j)) / thresholds(i, s));
        }
      }
    }
    if (relative.empty()) {
      return;
    }
    const float factor = fraction_thresholds(relative, params.group_fractions)[s];
    for (std::size_t i = 0; i < w.rows() && factor > 0; ++i) {
      thresholds(i, s) = std::min(thresholds(i, s) * factor, std::numeric_limits<float>::max());
    }
  }
}

void group_by_thresholds(MatrixView<const float> w, MatrixView<const float> thresholds,
                         MatrixView<std::uint8_t> groups, const RowBlocks& rows) {
  rows(w.rows(), [&](std::size_t begin, std::size_t end) {
    for (std::size_t i = begin; i < end; ++i) {
      group_row(w.row(i), thresholds.row(i), groups.row(i));
    }
  });
}

}  // namespace btc
