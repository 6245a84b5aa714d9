#pragma once
/// Panels on the device. Weights and factor stay there from the opening to the end; what a call
/// takes and gives crosses the bus once. The arithmetic of each call is a template over a team of
/// threads in a header beside it, which the CPU tests run against the reference.

#include <memory>
#include <vector>

#include "backend/backend.hpp"
#include "cuda/runtime/array.cuh"

namespace btc::cuda {

class ArbSession final : public btc::ArbSession {
 public:
  /// @param w [n, m]; @param u [m, m]; both copied to the device
  ArbSession(std::shared_ptr<const Context> context, MatrixView<const float> w,
             MatrixView<const float> u);

  [[nodiscard]] Matrix<float> weights(Panel panel) const override;
  std::vector<double> score_salient(Panel panel, std::span<const std::uint32_t> order,
                                    std::size_t max_count) override;
  std::vector<double> score_splits(Panel panel, const SplitState& state,
                                   MatrixView<const float> candidates) override;
  PanelFit fit(MatrixView<const float> x, const PanelGroups& groups,
               const FitParams& params) override;
  PanelFit fit_weights(Panel panel, const PanelGroups& groups, const FitParams& params) override;
  PanelCode encode(Panel panel, const PanelGroups& groups, const PanelScales& scales,
                   const EncodeRule& rule) override;
  PanelScales refit(Panel panel, const PanelGroups& groups, const PanelScales& scales,
                    const PanelCode& code) override;
  void compensate(Panel panel, MatrixView<const float> q, Compensation kind) override;
  [[nodiscard]] double energy(MatrixView<const float> e) const override;
  [[nodiscard]] double energy_of_weights() const override;

 private:
  /// Current weights of the panel [n, k], on the device.
  [[nodiscard]] MatrixView<const float> columns(Panel panel) const {
    return MatrixView<const float>(w_.view()).columns(panel.begin, panel.end);
  }
  /// Rows and columns of U that belong to the panel [k, k], on the device.
  [[nodiscard]] MatrixView<const float> diagonal(Panel panel) const {
    return MatrixView<const float>(u_.view()).sub(panel.begin, panel.end, panel.begin, panel.end);
  }
  [[nodiscard]] std::size_t rows() const { return w_.rows(); }

  std::shared_ptr<const Context> context_;
  DeviceMatrix<float> w_;
  DeviceMatrix<float> u_;
};

}  // namespace btc::cuda
