#include "pipeline/fisher.hpp"

#include <fmt/format.h>
#include <cmath>
#include <numeric>
#include <span>
#include <utility>

#include "common/error.hpp"
#include "common/hash.hpp"
#include "pipeline/stage_file.hpp"
#include "pipeline/stored_inputs.hpp"
#include "refine/channel_fisher.hpp"

namespace btc {
namespace {

constexpr StageFileKind kKind = {"btc.fisher", "1.0"};
constexpr const char* kWeights = "/weights";

/// The first sequences of the calibration.
Matrix<std::int32_t> sequences_of(const UnitStore& store, const Unit& unit,
                                  std::size_t vocab_size) {
  const Matrix<std::int32_t> all = stored_sequences(store, unit, vocab_size);
  Matrix<std::int32_t> first(fisher_sequences(all.rows()), all.cols());
  std::copy_n(all.values().begin(), first.size(), first.values().begin());
  return first;
}

std::string describe(const Matrix<float>& weights) {
  const auto [low, high] = std::minmax_element(weights.values().begin(), weights.values().end());
  return fmt::format("weights of channels {:.3g} to {:.3g}", *low, *high);
}

}  // namespace

std::size_t measure_fisher(StageRunner& runner, const PlannedUnits& units,
                           const IdentifiedModel& original, TorchPlace place) {
  const std::vector<Unit>& capture = units.first_sweep().capture;
  return runner.run(units.fisher, [&](std::size_t i) {
    const Unit& unit = units.fisher[i];
    const UnitStore& store = runner.store();
    const Matrix<std::int32_t> ids =
        sequences_of(store, units.sequences, original.config().vocab_size);
    std::vector<std::size_t> order(ids.rows());
    std::iota(order.begin(), order.end(), std::size_t{0});
    const Matrix<float> weights = channel_fisher(
        original, ids,
        [&](int block) {
          return stored_inputs(store, capture.at(static_cast<std::size_t>(block)))(order);
        },
        place);
    write_fisher(unit.file, weights, unit.fingerprint);
    return UnitResult{.bytes = std::filesystem::file_size(unit.file),
                      .sha256 = sha256_file(unit.file),
                      .seconds = 0,
                      .note = describe(weights),
                      .payload = "null"};
  });
}

void write_fisher(const std::filesystem::path& path, const Matrix<float>& weights,
                  const std::string& fingerprint) {
  Hdf5File file = create_stage_file(path, kKind, fingerprint);
  file.create_dataset(kWeights, Hdf5Type::kF32, {weights.rows(), weights.cols()},
                      {.chunk = {1, weights.cols()}});
  file.write_rows(kWeights, 0, weights.rows(), std::span<const float>(weights.values()));
  file.commit();
}

Matrix<float> read_fisher(const std::filesystem::path& path, const std::string& fingerprint,
                          const ModelConfig& model) {
  const Hdf5File file = open_stage_file(path, kKind);
  BTC_REQUIRE(FormatError, file.text_attribute("/", "fingerprint") == fingerprint, path.string(),
              ": made from other settings or inputs");
  const std::vector<std::size_t> shape = file.shape(kWeights);
  const auto blocks = static_cast<std::size_t>(model.blocks);
  BTC_REQUIRE(FormatError, (shape == std::vector<std::size_t>{blocks, model.hidden}), path.string(),
              ": ", kWeights, ": expected [", blocks, ", ", model.hidden, "]");
  Matrix<float> weights(blocks, model.hidden);
  weights.values() = file.read<float>(kWeights);
  for (std::size_t e = 0; e < weights.size(); ++e) {
    const float weight = weights.values()[e];
    BTC_REQUIRE(FormatError, std::isfinite(weight) && weight >= 0, path.string(), ": ", kWeights,
                ": block ", e / model.hidden, ", channel ", e % model.hidden, ": got ", weight,
                ", expected a finite number from 0 on");
  }
  return weights;
}

std::vector<float> stored_fisher(const UnitStore& store, const Unit& unit, const ModelConfig& model,
                                 int block) {
  const Matrix<float> weights =
      store.read_hashed(unit, [&] { return read_fisher(unit.file, unit.fingerprint, model); });
  const auto row = weights.row(static_cast<std::size_t>(block));
  return {row.begin(), row.end()};
}

}  // namespace btc
