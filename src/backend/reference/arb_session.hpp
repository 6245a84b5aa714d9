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
  PanelScales fit(MatrixView<const float> x, const PanelGroups& groups,
                  const FitParams& params) override;
  PanelCode encode(Panel panel, const PanelGroups& groups, const PanelScales& scales,
                   const EncodeRule& rule) override;
  PanelScales refit(Panel panel, const PanelGroups& groups, const PanelScales& scales,
                    const PanelCode& code) override;
  void compensate(Panel panel, MatrixView<const float> q, Compensation kind) override;
  [[nodiscard]] double energy(MatrixView<const float> e) const override;

 private:
  [[nodiscard]] Matrix<float> metric(Panel panel) const;

  Matrix<float> w_;
  MatrixView<const float> u_;
};

/// Mean and scales of one row and group.
struct AlternatingFit {
  double mu = 0;
  double alpha[2] = {0, 0};
};
/// Alternating refinement, one plane. @see ARB-LLM Alg. 1
/// @param x the entries of one row and group; none gives zeros
AlternatingFit fit_first_order(std::span<const float> x, int iterations);
/// The same with two planes around one mean. @see ARB-LLM Eq. 6 to 8
AlternatingFit fit_second_order(std::span<const float> x, int iterations);

}  // namespace btc
