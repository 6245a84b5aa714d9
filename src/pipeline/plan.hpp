#pragma once
/// What a run will do and need, from configuration and model shapes alone: no weight is read.

#include <cstdint>
#include <string>
#include <vector>

#include "config/pipeline_config.hpp"
#include "model/model_config.hpp"
#include "pack/ledger.hpp"

namespace btc {

/// A stage's share of the work.
struct PlannedStage {
  std::string name;
  std::size_t units = 0;
  std::uint64_t bytes_read = 0;     ///< over all ranks
  std::uint64_t bytes_written = 0;  ///< over all ranks
  std::uint64_t memory = 0;         ///< per rank at its peak, without libraries (about 0.3 GB)
};

struct Plan {
  ModelConfig model;
  std::uint64_t parameters = 0;
  std::uint64_t linear_weights = 0;
  std::vector<PlannedStage> stages;
  std::uint64_t activation_bytes = 0;  ///< disk for block inputs
  std::uint64_t disk_bytes = 0;        ///< everything the run directory will hold
  std::uint64_t device_memory = 0;     ///< per rank, on its device; 0 unless the backend is cuda
  std::vector<LedgerLine> ledger;      ///< predicted, one line per category
  BitNumbers bits;                     ///< predicted
};

/// Checks settings against the model's shapes. @param ranks for the memory of shared work
/// @throws ConfigError, InputError
Plan make_plan(const PipelineConfig& config, const ModelConfig& model, int ranks);
/// For people.
std::string describe_plan(const Plan& plan);
/// For programs: plan.json.
std::string plan_json(const Plan& plan);

}  // namespace btc
