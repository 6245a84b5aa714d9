#pragma once
/// A panel with two split points, as the benchmarks of the alternating fit take it.

#include <array>
#include <cmath>

#include "backend/panel.hpp"
#include "common/matrix.hpp"
#include "common/rng.hpp"

namespace btc::bench {

inline constexpr std::size_t kPanelWidth = 128;
inline constexpr std::size_t kPanelGroups = 3;
inline constexpr int kPanelSweeps = 15;

struct PanelProblem {
  Matrix<float> x;  ///< [rows, 128], standard normal
  PanelGroups groups;
};

inline PanelProblem make_panel(std::size_t rows) {
  Rng rng(7);
  PanelProblem problem{Matrix<float>(rows, kPanelWidth), {}};
  problem.groups.count = kPanelGroups;
  problem.groups.group = Matrix<std::uint8_t>(rows, kPanelWidth);
  for (std::size_t e = 0; e < problem.x.size(); ++e) {
    problem.x.values()[e] = static_cast<float>(rng.normal());
    const float size = std::fabs(problem.x.values()[e]);
    problem.groups.group.values()[e] =
        static_cast<std::uint8_t>((size >= 0.7F ? 1 : 0) + (size >= 1.5F ? 1 : 0));
  }
  return problem;
}

/// Whether column g of the scales equals the peer's [rows] to fp32 rounding of its largest value.
inline bool close_to_peer(const Matrix<float>& ours, std::size_t g, const double* expected) {
  double largest = 0.0;
  for (std::size_t i = 0; i < ours.rows(); ++i) {
    largest = std::fmax(largest, std::fabs(expected[i]));
  }
  for (std::size_t i = 0; i < ours.rows(); ++i) {
    if (!(std::fabs(static_cast<double>(ours(i, g)) - expected[i]) <= 1e-6 * largest)) {
      return false;
    }
  }
  return true;
}

}  // namespace btc::bench
