#pragma once
/// The fisher stage: which channels of the blocks' outputs count how much when dense Linears are
/// tuned (`refine.dense_epochs`).

#include <algorithm>
#include <cstddef>
#include <filesystem>
#include <string>
#include <vector>

#include "common/matrix.hpp"
#include "model/torch_place.hpp"
#include "pipeline/fingerprints.hpp"
#include "pipeline/source_identity.hpp"
#include "pipeline/stage_runner.hpp"

namespace btc {

/// How many of the calibration sequences are looked at, the first ones: their gradients for one
/// block's output stay in memory.
constexpr std::size_t fisher_sequences(std::size_t samples) {
  constexpr std::size_t kMost = 32;
  return std::min(samples, kMost);
}

/// Makes the unit `units.fisher`, on one rank, from the first sweep's inputs. Collective.
/// @param place where blocks and head run
/// @return how many units were computed
std::size_t measure_fisher(StageRunner& runner, const PlannedUnits& units,
                           const IdentifiedModel& original, TorchPlace place);

/// Schema btc.fisher. @param weights [blocks, hidden] @see channel_fisher
/// @param fingerprint of the unit
void write_fisher(const std::filesystem::path& path, const Matrix<float>& weights,
                  const std::string& fingerprint);
/// @throws FormatError if the file is damaged, of another unit or model, or if a weight is no
///         number from 0 on
Matrix<float> read_fisher(const std::filesystem::path& path, const std::string& fingerprint,
                          const ModelConfig& model);

/// Those of one block [hidden], from the finished unit.
std::vector<float> stored_fisher(const UnitStore& store, const Unit& unit, const ModelConfig& model,
                                 int block);

}  // namespace btc
