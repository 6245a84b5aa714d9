#pragma once
/// The alternating fit as tensor operations on masked panels, the way the published ARB-LLM code is
/// written. On the device of its tensors, in their type.

#include <ATen/ATen.h>

#include "bench/arb_panel_problem.hpp"

namespace btc::bench {

/// Mean and scale [n, 1] of one group.
struct TensorFit {
  at::Tensor mu;
  at::Tensor alpha;
};

inline at::Tensor row_sum(const at::Tensor& x) { return x.sum(1, true); }

inline TensorFit fit_group(const at::Tensor& x, const at::Tensor& mask) {
  const at::Tensor count = row_sum(mask).clamp_min(1);
  TensorFit fit;
  fit.mu = row_sum(x * mask) / count;
  fit.alpha = row_sum((x - fit.mu).abs() * mask) / count;
  at::Tensor sign = (x - fit.mu).sign() * mask;
  at::Tensor q = (fit.alpha * sign + fit.mu) * mask;
  for (int sweep = 0; sweep < kPanelSweeps; ++sweep) {
    fit.mu = fit.mu + row_sum((x - q) * mask) / count;
    const at::Tensor centred = (x - fit.mu) * mask;
    fit.alpha = row_sum(sign * centred) / (row_sum(sign * sign) + 1e-8);
    sign = centred.sign();
    q = (fit.alpha * sign + fit.mu) * mask;
  }
  return fit;
}

/// What the operations take: x and the mask of each group, fp32.
struct TensorPanel {
  at::Tensor x;
  std::array<at::Tensor, kPanelGroups> masks;
};

inline std::array<std::int64_t, 2> shape_of(const PanelProblem& problem) {
  return {static_cast<std::int64_t>(problem.x.rows()), static_cast<std::int64_t>(kPanelWidth)};
}

/// Copies the groups to `device`.
inline std::array<at::Tensor, kPanelGroups> to_masks(PanelProblem& problem, at::Device device) {
  const at::Tensor group =
      at::from_blob(problem.groups.group.data(), shape_of(problem), at::kByte).to(device);
  std::array<at::Tensor, kPanelGroups> masks;
  for (std::size_t g = 0; g < kPanelGroups; ++g) {
    masks.at(g) = (group == static_cast<std::int64_t>(g)).to(at::kFloat);
  }
  return masks;
}

/// Copies to `device`, waiting until they are there.
inline TensorPanel to_tensors(PanelProblem& problem, at::Device device) {
  return {at::from_blob(problem.x.data(), shape_of(problem), at::kFloat).to(device),
          to_masks(problem, device)};
}

/// Whether the scales equal those of the same operations in fp64.
inline bool equal_to_double(const PanelScales& scales, const TensorPanel& panel) {
  const auto on_host = [](const at::Tensor& column) { return column.cpu().contiguous(); };
  bool exact = true;
  for (std::size_t g = 0; g < kPanelGroups; ++g) {
    const TensorFit fit = fit_group(panel.x.to(at::kDouble), panel.masks.at(g).to(at::kDouble));
    const at::Tensor alpha = on_host(fit.alpha);
    const at::Tensor mu = on_host(fit.mu);
    exact = exact && close_to_peer(scales.alpha, g, alpha.data_ptr<double>()) &&
            close_to_peer(scales.mu, g, mu.data_ptr<double>());
  }
  return exact;
}

}  // namespace btc::bench
