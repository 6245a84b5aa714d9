#pragma once
/// The truth about panels: one thread, plain loops, double sums rounded to fp32 at the end.

#include <span>
#include <vector>

#include "backend/backend.hpp"

namespace btc {

class ReferenceArbSession : public ArbSession {
 public:
  /// @param w copied; @param u kept as a view
  ReferenceArbSession(MatrixView<const float> w, MatrixView<const float> u);

  [[nodiscard]] Matrix<float> weights(Panel panel) const override;
  std::vector<double> score_salient(Panel panel, std::span<const std::uint32_t> order,
                                    std::size_t max_count) override;
  std::vector<double> score_splits(Panel panel, const SplitState& state,
                                   MatrixView<const float> candidates) override;
  PanelFit fit(MatrixView<const float> x, const PanelGroups& groups,
               const FitParams& params) override;
  PanelCode encode(Panel panel, const PanelGroups& groups, const PanelScales& scales,
                   const EncodeRule& rule) override;
  PanelScales refit(Panel panel, const PanelGroups& groups, const PanelScales& scales,
                    const PanelCode& code) override;
  void compensate(Panel panel, MatrixView<const float> q, Compensation kind) override;
  [[nodiscard]] double energy(MatrixView<const float> e) const override;
  [[nodiscard]] double energy_of_weights() const override { return energy(w_.view()); }

 private:
  [[nodiscard]] Matrix<float> metric(Panel panel) const;

  Matrix<float> w_;
  MatrixView<const float> u_;
};

}  // namespace btc
