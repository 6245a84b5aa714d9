#include "quant/saliency.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>

namespace btc {
namespace {

/// The search tries no more columns than this.
constexpr std::size_t kMostSalient = 49;

std::vector<std::uint32_t> rank_columns(const Matrix<float>& metric) {
  std::vector<double> sum(metric.cols(), 0.0);
  for (std::size_t i = 0; i < metric.rows(); ++i) {
    for (std::size_t j = 0; j < metric.cols(); ++j) {
      sum[j] += static_cast<double>(metric(i, j));
    }
  }
  std::vector<std::uint32_t> order(metric.cols());
  std::iota(order.begin(), order.end(), 0U);
  std::stable_sort(order.begin(), order.end(),
                   [&](std::uint32_t a, std::uint32_t b) { return sum[a] > sum[b]; });
  return order;
}

std::size_t best_count(const std::vector<double>& scores) {
  const auto best = std::min_element(scores.begin(), scores.end());
  return static_cast<std::size_t>(best - scores.begin()) + 1;
}

}  // namespace

Matrix<float> saliency_metric(MatrixView<const float> w, Panel panel, MatrixView<const float> u,
                              const RowBlocks& rows) {
  std::vector<float> squares(w.cols());
  for (std::size_t j = 0; j < w.cols(); ++j) {
    const float diagonal = u(panel.begin + j, panel.begin + j);
    squares[j] = diagonal * diagonal;
  }
  Matrix<float> metric(w.rows(), w.cols());
  rows(w.rows(), [&](std::size_t begin, std::size_t end) {
    for (std::size_t i = begin; i < end; ++i) {
      for (std::size_t j = 0; j < w.cols(); ++j) {
        metric(i, j) = (w(i, j) * w(i, j)) / squares[j];
      }
    }
  });
  return metric;
}

std::vector<std::uint32_t> find_salient_columns(ArbSession& session, Panel panel,
                                                const Matrix<float>& metric,
                                                const BinarizeParams& params) {
  if (params.salient == SalientRule::kNone) {
    return {};
  }
  std::vector<std::uint32_t> order = rank_columns(metric);
  std::size_t count = 0;
  if (params.salient == SalientRule::kFraction) {
    count = static_cast<std::size_t>(
        std::lround(params.salient_fraction * static_cast<double>(panel.width())));
  } else {
    const std::size_t most = std::min(kMostSalient, panel.width());
    count = best_count(session.score_salient(panel, order, most));
  }
  order.resize(count);
  std::sort(order.begin(), order.end());
  return order;
}

PanelGroups ungrouped(std::size_t rows, std::size_t cols, std::vector<std::uint32_t> salient) {
  PanelGroups groups;
  groups.salient = std::move(salient);
  groups.group = Matrix<std::uint8_t>(rows, cols, 0);
  for (std::size_t i = 0; i < rows; ++i) {
    for (const std::uint32_t j : groups.salient) {
      groups.group(i, j) = kSalientGroup;
    }
  }
  return groups;
}

}  // namespace btc
