#include <algorithm>
#include <cmath>

#include "backend/reference/arb_session.hpp"

namespace btc {
namespace {

/// Squared error of plain residual binarization with `planes` planes.
double plain_error(std::vector<double> x, int planes) {
  for (int plane = 0; plane < planes; ++plane) {
    double mu = 0;
    for (const double value : x) {
      mu += value;
    }
    mu = x.empty() ? 0.0 : mu / static_cast<double>(x.size());
    double alpha = 0;
    for (const double value : x) {
      alpha += std::fabs(value - mu);
    }
    alpha = x.empty() ? 0.0 : alpha / static_cast<double>(x.size());
    for (double& value : x) {
      value -= mu + (value >= mu ? alpha : -alpha);
    }
  }
  double sum = 0;
  for (const double value : x) {
    sum += value * value;
  }
  return sum;
}

}  // namespace

std::vector<double> ReferenceArbSession::score_salient(Panel panel,
                                                       std::span<const std::uint32_t> order,
                                                       std::size_t max_count) {
  const Matrix<float> s = metric(panel);
  std::vector<double> scores;
  for (std::size_t count = 1; count <= max_count; ++count) {
    std::vector<bool> is_salient(panel.width(), false);
    for (std::size_t c = 0; c < count; ++c) {
      is_salient[order[c]] = true;
    }
    double sum = 0;
    for (std::size_t i = 0; i < s.rows(); ++i) {
      std::vector<double> part[2];
      for (std::size_t j = 0; j < s.cols(); ++j) {
        part[is_salient[j] ? 1 : 0].push_back(static_cast<double>(s(i, j)));
      }
      sum += plain_error(part[0], 2) + plain_error(part[1], 2);
    }
    scores.push_back(sum / static_cast<double>(s.size()));
  }
  return scores;
}

std::vector<double> ReferenceArbSession::score_splits(Panel panel, const SplitState& state,
                                                      MatrixView<const float> candidates) {
  const Matrix<float> s = metric(panel);
  std::vector<double> scores;
  for (std::size_t c = 0; c < candidates.rows(); ++c) {
    double sum = 0;
    for (std::size_t i = 0; i < s.rows(); ++i) {
      std::vector<std::vector<double>> part(candidates.cols() + 1);
      for (std::size_t j = 0; j < s.cols(); ++j) {
        if (state.available(i, j) == 0) {
          const double left = static_cast<double>(s(i, j)) - static_cast<double>(state.fixed(i, j));
          sum += left * left;
          continue;
        }
        const auto thresholds = candidates.row(c);
        const auto g = std::count_if(thresholds.begin(), thresholds.end(),
                                     [&](float threshold) { return s(i, j) >= threshold; });
        part[static_cast<std::size_t>(g)].push_back(static_cast<double>(s(i, j)));
      }
      for (const auto& group : part) {
        sum += plain_error(group, 1);
      }
    }
    scores.push_back(sum / static_cast<double>(s.size()));
  }
  return scores;
}

}  // namespace btc
