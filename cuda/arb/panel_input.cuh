#pragma once
/// What encode and refit send to the device for a panel.

#include <cstdint>
#include <vector>

#include "backend/panel.hpp"
#include "cuda/runtime/array.cuh"

namespace btc::cuda {

/// A copy of `PanelScales` on the device.
class DeviceScales {
 public:
  DeviceScales(const Context& context, const PanelScales& scales)
      : alpha_(context, scales.alpha),
        mu_(context, scales.mu),
        salient_alpha_(context, scales.salient_alpha),
        salient_mu_(context, scales.salient_mu),
        alpha_col_(context, scales.alpha_col),
        salient_alpha_col_(context, scales.salient_alpha_col) {}

  [[nodiscard]] PanelScalesView view() const {
    return {alpha_.view(),      mu_.view(),        salient_alpha_.view(),
            salient_mu_.span(), alpha_col_.span(), salient_alpha_col_.span()};
  }

 private:
  DeviceMatrix<float> alpha_;
  DeviceMatrix<float> mu_;
  DeviceMatrix<float> salient_alpha_;
  DeviceArray<float> salient_mu_;
  DeviceArray<float> alpha_col_;
  DeviceArray<float> salient_alpha_col_;
};

/// [k] number of salient columns left of each salient column; 0 elsewhere.
inline std::vector<std::uint32_t> salient_ranks(const PanelGroups& groups, std::size_t width) {
  std::vector<std::uint32_t> rank(width, 0);
  for (std::size_t r = 0; r < groups.salient.size(); ++r) {
    rank[groups.salient[r]] = narrow<std::uint32_t>(r);
  }
  return rank;
}

}  // namespace btc::cuda
