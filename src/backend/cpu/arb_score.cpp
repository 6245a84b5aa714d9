#include <algorithm>
#include <cmath>

#include "backend/cpu/arb_session.hpp"

namespace btc {
namespace {

constexpr std::size_t kTile = 64;

/// Scores of each tile, added in index order.
class TileSums {
 public:
  TileSums(std::size_t rows, std::size_t scores) : parts_(ceil_div(rows, kTile), scores) {}
  [[nodiscard]] std::span<double> of(std::size_t first_row) {
    return parts_.row(first_row / kTile);
  }
  [[nodiscard]] std::vector<double> means(std::size_t entries) const {
    std::vector<double> result(parts_.cols(), 0.0);
    for (std::size_t t = 0; t < parts_.rows(); ++t) {
      for (std::size_t c = 0; c < result.size(); ++c) {
        result[c] += parts_(t, c);
      }
    }
    for (double& value : result) {
      value /= static_cast<double>(entries);
    }
    return result;
  }

 private:
  Matrix<double> parts_;
};

float metric_of(float w, float u) { return (w * w) / (u * u); }

/// Squared error of plain two-plane residual binarization.
/// @param total sum of x
double two_plane_error(const double* x, std::size_t n, double total) {
  if (n == 0) {
    return 0;
  }
  const auto count = static_cast<double>(n);
  const double mu = total / count;
  double alpha = 0;
#pragma omp simd reduction(+ : alpha)
  for (std::size_t j = 0; j < n; ++j) {
    alpha += std::fabs(x[j] - mu);
  }
  alpha /= count;
  double rest_sum = 0;
#pragma omp simd reduction(+ : rest_sum)
  for (std::size_t j = 0; j < n; ++j) {
    rest_sum += x[j] - (mu + (x[j] >= mu ? alpha : -alpha));
  }
  const double rest_mu = rest_sum / count;
  double rest_alpha = 0;
  double squares = 0;
#pragma omp simd reduction(+ : rest_alpha, squares)
  for (std::size_t j = 0; j < n; ++j) {
    const double rest = x[j] - (mu + (x[j] >= mu ? alpha : -alpha)) - rest_mu;
    rest_alpha += std::fabs(rest);
    squares += rest * rest;
  }
  return std::max(squares - rest_alpha * rest_alpha / count, 0.0);
}

/// A row's available entries in ascending order with prefix sums.
struct SortedRow {
  std::vector<float> x;
  std::vector<double> sum;      // of the first i entries
  std::vector<double> squares;  // of the first i entries

  void prepare() {
    std::sort(x.begin(), x.end());
    sum.resize(x.size() + 1);
    squares.resize(x.size() + 1);
    for (std::size_t j = 0; j < x.size(); ++j) {
      const auto value = static_cast<double>(x[j]);
      sum[j + 1] = sum[j] + value;
      squares[j + 1] = squares[j] + value * value;
    }
  }

  /// First position in [begin, end] whose entry is >= limit, walking from `hint`.
  template <typename Limit>
  [[nodiscard]] std::size_t position(std::size_t begin, std::size_t end, Limit limit,
                                     std::size_t hint) const {
    std::size_t at = std::clamp(hint, begin, end);
    while (at < end && static_cast<Limit>(x[at]) < limit) {
      ++at;
    }
    while (at > begin && static_cast<Limit>(x[at - 1]) >= limit) {
      --at;
    }
    return at;
  }

  /// Squared error of plain first-order binarization of the entries [begin, end).
  [[nodiscard]] double error(std::size_t begin, std::size_t end, std::size_t& hint) const {
    if (begin == end) {
      return 0;
    }
    const auto count = static_cast<double>(end - begin);
    const double mu = (sum[end] - sum[begin]) / count;
    hint = position(begin, end, mu, hint);
    const double above = (sum[end] - sum[hint]) - mu * static_cast<double>(end - hint);
    const double below = mu * static_cast<double>(hint - begin) - (sum[hint] - sum[begin]);
    const double alpha = (above + below) / count;
    return std::max(squares[end] - squares[begin] - count * (mu * mu + alpha * alpha), 0.0);
  }
};

/// Adds the error of a row under every candidate to `scores`.
void score_row(const SortedRow& row, MatrixView<const float> candidates,
               std::vector<std::size_t>& hints, std::span<double> scores) {
  const std::size_t splits = candidates.cols();
  std::fill(hints.begin(), hints.end(), 0);  // per split: of the cut; per group: of the mean
  const auto cuts = std::span(hints).first(splits);
  const auto means = std::span(hints).subspan(splits);
  double last = 0;
  for (std::size_t c = 0; c < candidates.rows(); ++c) {
    bool moved = c == 0;
    for (std::size_t s = 0; s < splits; ++s) {
      const std::size_t cut = row.position(0, row.x.size(), candidates(c, s), cuts[s]);
      moved = moved || cut != cuts[s];
      cuts[s] = cut;
    }
    if (moved) {
      last = 0;
      std::size_t begin = 0;
      for (std::size_t g = 0; g <= splits; ++g) {
        const std::size_t end = g < splits ? cuts[g] : row.x.size();
        last += row.error(begin, end, means[g]);
        begin = end;
      }
    }
    scores[c] += last;
  }
}

}  // namespace

std::vector<double> CpuArbSession::score_salient(Panel panel, std::span<const std::uint32_t> order,
                                                 std::size_t max_count) {
  const std::size_t k = panel.width();
  TileSums sums(w_.rows(), max_count);
  workers_->for_blocks(w_.rows(), kTile, [&](std::size_t begin, std::size_t end) {
    const auto scores = sums.of(begin);
    std::vector<double> s(k);
    std::vector<double> prefix(k + 1);
    for (std::size_t i = begin; i < end; ++i) {
      for (std::size_t j = 0; j < k; ++j) {
        const std::size_t column = panel.begin + order[j];
        s[j] = static_cast<double>(metric_of(w_(i, column), u_(column, column)));
        prefix[j + 1] = prefix[j] + s[j];
      }
      for (std::size_t count = 1; count <= max_count; ++count) {
        scores[count - 1] += two_plane_error(s.data(), count, prefix[count]) +
                             two_plane_error(&s[count], k - count, prefix[k] - prefix[count]);
      }
    }
  });
  return sums.means(w_.rows() * k);
}

std::vector<double> CpuArbSession::score_splits(Panel panel, const SplitState& state,
                                                MatrixView<const float> candidates) {
  TileSums sums(w_.rows(), candidates.rows());
  workers_->for_blocks(w_.rows(), kTile, [&](std::size_t begin, std::size_t end) {
    const auto scores = sums.of(begin);
    SortedRow row;
    std::vector<std::size_t> hints(2 * candidates.cols() + 1);
    double fixed = 0;
    for (std::size_t i = begin; i < end; ++i) {
      row.x.clear();
      for (std::size_t j = 0; j < panel.width(); ++j) {
        const std::size_t column = panel.begin + j;
        const float s = metric_of(w_(i, column), u_(column, column));
        if (state.available(i, j) != 0) {
          row.x.push_back(s);
        } else {
          const double left = static_cast<double>(s) - static_cast<double>(state.fixed(i, j));
          fixed += left * left;
        }
      }
      row.prepare();
      score_row(row, candidates, hints, scores);
    }
    for (double& score : scores) {
      score += fixed;
    }
  });
  return sums.means(w_.rows() * panel.width());
}

}  // namespace btc
