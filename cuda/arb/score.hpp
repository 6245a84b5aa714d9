#pragma once
/// Objectives of salient counts and of split thresholds: a team for each row, its members on the
/// counts or candidates.

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>

#include "common/matrix.hpp"
#include "cuda/host_device.hpp"

namespace btc::cuda {

/// Memory of the team that scores a row of `width` entries.
struct RowScratch {
  float* metric = nullptr;  ///< [k], S as it comes
  float* sorted = nullptr;  ///< [k], S in the order that the scores need
  double* sum = nullptr;    ///< [k + 1], of the first entries of `sorted`
};

/// Saliency metric of an entry.
constexpr float metric_of(float w, float u) { return (w * w) / (u * u); }

namespace score_detail {

BTC_HD inline double entry(const RowScratch& row, std::size_t j) {
  return static_cast<double>(row.sorted[j]);
}

/// Squared error of plain two-plane residual binarization of the entries [begin, end).
BTC_HD inline double two_plane_error(const RowScratch& row, std::size_t begin, std::size_t end) {
  if (begin == end) {
    return 0;
  }
  const auto count = static_cast<double>(end - begin);
  const double mu = (row.sum[end] - row.sum[begin]) / count;
  double alpha = 0;
  for (std::size_t j = begin; j < end; ++j) {
    alpha += std::fabs(entry(row, j) - mu);
  }
  alpha /= count;
  const auto rest = [&](std::size_t j) {
    const double x = entry(row, j);
    return x - (mu + (x >= mu ? alpha : -alpha));
  };
  double rest_mu = 0;
  for (std::size_t j = begin; j < end; ++j) {
    rest_mu += rest(j);
  }
  rest_mu /= count;
  double rest_alpha = 0;
  double squares = 0;
  for (std::size_t j = begin; j < end; ++j) {
    const double left = rest(j) - rest_mu;
    rest_alpha += std::fabs(left);
    squares += left * left;
  }
  const double error = squares - rest_alpha * rest_alpha / count;
  return error > 0 ? error : 0;
}

/// First position in [begin, end) of the ascending entries that is >= limit, else end.
template <typename Limit>
BTC_HD std::size_t position(const RowScratch& row, std::size_t begin, std::size_t end,
                            Limit limit) {
  while (begin < end) {
    const std::size_t middle = begin + (end - begin) / 2;
    if (static_cast<Limit>(row.sorted[middle]) < limit) {
      begin = middle + 1;
    } else {
      end = middle;
    }
  }
  return begin;
}

/// Squared error of plain first-order binarization of the ascending entries [begin, end). Sums of
/// squares would give the last step without a loop, but not what is left of nearly equal entries.
BTC_HD inline double plain_error(const RowScratch& row, std::size_t begin, std::size_t end) {
  if (begin == end) {
    return 0;
  }
  const auto count = static_cast<double>(end - begin);
  const double mu = (row.sum[end] - row.sum[begin]) / count;
  const std::size_t cut = position(row, begin, end, mu);
  const double above = (row.sum[end] - row.sum[cut]) - mu * static_cast<double>(end - cut);
  const double below = mu * static_cast<double>(cut - begin) - (row.sum[cut] - row.sum[begin]);
  const double alpha = (above + below) / count;
  double error = 0;
  for (std::size_t j = begin; j < end; ++j) {
    const double left = entry(row, j) - (mu + (j >= cut ? alpha : -alpha));
    error += left * left;
  }
  return error;
}

/// Squared error of a row's available entries, cut by ascending thresholds.
BTC_HD inline double split_error(const RowScratch& row, std::size_t count,
                                 MatrixView<const float> candidates, std::size_t c) {
  double error = 0;
  std::size_t begin = 0;
  for (std::size_t s = 0; s < candidates.cols(); ++s) {
    const std::size_t end = position(row, begin, count, candidates(c, s));
    error += plain_error(row, begin, end);
    begin = end;
  }
  return error + plain_error(row, begin, count);
}

/// Prefix sums of the first `count` entries of `sorted`; one member adds them in order.
template <class Team>
BTC_HD void add_prefixes(const Team& team, std::size_t count, const RowScratch& row) {
  if (team.rank() == 0) {
    double sum = 0;
    row.sum[0] = 0;
    for (std::size_t j = 0; j < count; ++j) {
      sum += entry(row, j);
      row.sum[j + 1] = sum;
    }
  }
  team.sync();
}

/// The entries of `metric` in ascending order: each member counts what comes before its own.
template <class Team>
BTC_HD void sort_row(const Team& team, std::size_t width, const RowScratch& row) {
  for (auto a = static_cast<std::size_t>(team.rank()); a < width;
       a += static_cast<std::size_t>(team.size())) {
    const float value = row.metric[a];
    std::size_t before = 0;
    for (std::size_t b = 0; b < width; ++b) {
      const float other = row.metric[b];
      before += static_cast<std::size_t>(other < value || (other == value && b < a));
    }
    row.sorted[before] = value;
  }
}

}  // namespace score_detail

/// What the salient scores of a panel take. All on the device.
struct SalientTask {
  MatrixView<const float> w;             ///< [n, k]
  MatrixView<const float> u;             ///< [k, k]
  const std::uint32_t* order = nullptr;  ///< [k]
};

/// Adds row i's squared error with the first c columns of `order` salient to scores[c - 1], for
/// every c that there is a score for. `scratch` is the team's own; so are `scores`.
template <class Team>
BTC_HD void score_salient_row(const Team& team, const SalientTask& task, std::size_t i,
                              const RowScratch& row, std::span<double> scores) {
  const std::size_t k = task.w.cols();
  const auto rank = static_cast<std::size_t>(team.rank());
  const auto size = static_cast<std::size_t>(team.size());
  team.sync();  // the row before has been read
  for (std::size_t j = rank; j < k; j += size) {
    const std::size_t column = task.order[j];
    row.sorted[j] = metric_of(task.w(i, column), task.u(column, column));
  }
  team.sync();
  score_detail::add_prefixes(team, k, row);
  for (std::size_t c = rank; c < scores.size(); c += size) {
    scores[c] +=
        score_detail::two_plane_error(row, 0, c + 1) + score_detail::two_plane_error(row, c + 1, k);
  }
}

/// What the split scores of a panel take. All on the device.
struct SplitTask {
  MatrixView<const float> w;                 ///< [n, k]
  MatrixView<const float> u;                 ///< [k, k]
  MatrixView<const std::uint8_t> available;  ///< [n, k]
  MatrixView<const float> fixed;             ///< [n, k]
  MatrixView<const float> candidates;        ///< [C, s]
};

/// Adds row i's squared error under candidate c to scores[c] for every candidate.
template <class Team>
BTC_HD void score_splits_row(const Team& team, const SplitTask& task, std::size_t i,
                             const RowScratch& row, std::span<double> scores) {
  const std::size_t k = task.w.cols();
  const auto rank = static_cast<std::size_t>(team.rank());
  const auto size = static_cast<std::size_t>(team.size());
  team.sync();  // the row before has been read
  double fixed = 0;
  unsigned available = 0;
  for (std::size_t j = rank; j < k; j += size) {
    const float s = metric_of(task.w(i, j), task.u(j, j));
    if (task.available(i, j) != 0) {
      row.metric[j] = s;
      ++available;
    } else {
      const double left = static_cast<double>(s) - static_cast<double>(task.fixed(i, j));
      fixed += left * left;
      row.metric[j] = std::numeric_limits<float>::infinity();  // behind the available ones
    }
  }
  fixed = team.sum(fixed);
  const std::size_t count = team.sum(available);
  team.sync();
  score_detail::sort_row(team, k, row);
  team.sync();
  score_detail::add_prefixes(team, count, row);
  for (std::size_t c = rank; c < scores.size(); c += size) {
    scores[c] += fixed + score_detail::split_error(row, count, task.candidates, c);
  }
}

}  // namespace btc::cuda
