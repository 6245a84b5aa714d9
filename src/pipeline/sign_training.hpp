#pragma once
/// Makes the signs of encoded blocks trained values, for the stages that train them.

#include <memory>
#include <vector>

#include "backend/backend.hpp"
#include "config/pipeline_config.hpp"
#include "pipeline/fingerprints.hpp"
#include "pipeline/source_identity.hpp"
#include "pipeline/state.hpp"
#include "refine/scaled_block.hpp"

namespace btc {

/// Knows the codewords that signs are chosen among. Must outlive the blocks it was added to, and
/// borrows all that it is given.
class SignTraining {
 public:
  SignTraining(const UnitStore& store, const PlannedUnits& units, const PipelineConfig& config,
               const IdentifiedModel& original, Backend& backend)
      : store_(store), units_(units), config_(config), original_(original), backend_(backend) {}

  /// @param rate of the latent weights in their unit, as a multiple of that of the scales
  void add_to(ScaledBlock& block, int number, double rate);

 private:
  using Searches = std::vector<std::unique_ptr<CodewordSearch>>;
  /// One for all Linears of a block, or one each; none for free signs.
  const Searches& searches_of(int block);
  [[nodiscard]] Searches open(int block) const;

  const UnitStore& store_;
  const PlannedUnits& units_;
  const PipelineConfig& config_;
  const IdentifiedModel& original_;
  Backend& backend_;
  std::vector<std::unique_ptr<Searches>> opened_;
};

}  // namespace btc
