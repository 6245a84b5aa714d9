#pragma once
/// The quantized model between two sweeps.

#include <vector>

#include "config/pipeline_config.hpp"
#include "pipeline/fingerprints.hpp"
#include "pipeline/source_identity.hpp"
#include "pipeline/state.hpp"

namespace btc {

/// The model as a sweep encoded it, its blocks made dense; what is not quantized is the original's.
/// Reading throws FormatError if a file is damaged. Borrows everything.
class EncodedModel final : public ModelSource {
 public:
  /// @param sweep whose stage `encode` is finished
  EncodedModel(const UnitStore& store, const PlannedUnits& sweep, const PipelineConfig& config,
               const IdentifiedModel& original)
      : store_(store), sweep_(sweep), config_(config), original_(original) {}
  [[nodiscard]] const ModelConfig& config() const override { return original_.config(); }
  [[nodiscard]] BlockWeights load_block(int block) const override;
  [[nodiscard]] Matrix<float> embed(std::span<const std::int32_t> ids) const override {
    return original_.embed(ids);
  }
  [[nodiscard]] std::vector<float> final_norm() const override { return original_.final_norm(); }
  [[nodiscard]] Matrix<float> head() const override { return original_.head(); }

 private:
  const UnitStore& store_;
  const PlannedUnits& sweep_;
  const PipelineConfig& config_;
  const IdentifiedModel& original_;
};

}  // namespace btc
