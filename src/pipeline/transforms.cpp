#include "pipeline/transforms.hpp"

#include <algorithm>
#include <cmath>
#include <string_view>

#include "common/error.hpp"
#include "common/hash.hpp"
#include "common/rng.hpp"
#include "pipeline/stage_file.hpp"

namespace btc {

namespace {

constexpr StageFileKind kKind = {"btc.transform", "1.0"};

std::vector<float> read_values(const Hdf5File& file, const std::string& name, std::size_t count,
                               const std::string& origin) {
  std::vector<float> values = file.read<float>(name);
  BTC_REQUIRE(FormatError, values.size() == count, origin, ": ", name, ": expected ", count,
              " values, got ", values.size());
  BTC_REQUIRE(FormatError, std::ranges::all_of(values, [](float v) { return std::isfinite(v); }),
              origin, ": ", name, ": a value is not finite");
  return values;
}

Matrix<float> read_square(const Hdf5File& file, const std::string& name, std::size_t size,
                          const std::string& origin) {
  Matrix<float> square(size, size);
  square.values() = read_values(file, name, size * size, origin);
  return square;
}

std::string group_of(SharedInput input) { return concat("/input/", name_of(input)); }

}  // namespace

std::size_t learn_transforms(StageRunner& runner, const PlannedUnits& units,
                             const PipelineConfig& config, const ModelConfig& model) {
  return runner.run(units.learn, [&](std::size_t b) {
    const Unit& unit = units.learn[b];
    const BlockTransform transform =
        random_transform(model, derive_seed(config.run.seed, "transform", b));
    const std::size_t bytes = write_transform(unit.file, transform, unit.fingerprint);
    return UnitResult{.bytes = bytes,
                      .sha256 = sha256_file(unit.file),
                      .seconds = 0,
                      .note = "random factors and signs",
                      .payload = "null"};
  });
}

MergedBlock load_merged_block(const UnitStore& store, const PlannedUnits& units,
                              const IdentifiedModel& original, int block) {
  MergedBlock merged = {original.load_block(block), {}};
  if (!units.learn.empty()) {
    const Unit& unit = units.learn.at(static_cast<std::size_t>(block));
    const BlockTransform transform =
        store.read_hashed(unit, [&] { return read_transform(unit.file, original.config()); });
    merge_transform(original.config(), transform, merged.weights);
    merged.online = online_factors(transform);
  }
  return merged;
}

BlockWeights load_entered_block(const UnitStore& store, const PlannedUnits& units,
                                const IdentifiedModel& original, int block) {
  MergedBlock merged = load_merged_block(store, units, original, block);
  for (const LinearKind kind : kLinearKinds) {
    enter_transform(merged.online.at(index_of(input_of(kind))),
                    merged.weights.linear.at(index_of(kind)).view());
  }
  return std::move(merged.weights);
}

std::size_t write_transform(const std::filesystem::path& path, const BlockTransform& transform,
                            const std::string& fingerprint) {
  Hdf5File file = create_stage_file(path, kKind, fingerprint);
  for (const SharedInput input : kSharedInputs) {
    const InputTransform& own = transform.at(index_of(input));
    write_list(file, group_of(input) + "/sign", own.sign);
    write_list(file, group_of(input) + "/p1", own.factors.p1.values());
    write_list(file, group_of(input) + "/p2", own.factors.p2.values());
  }
  return file.commit();
}

BlockTransform read_transform(const std::filesystem::path& path, const ModelConfig& model) {
  const Hdf5File file = open_stage_file(path, kKind);
  BlockTransform transform;
  for (const SharedInput input : kSharedInputs) {
    const auto [a, b] = factor_sizes(model, input);
    InputTransform& own = transform.at(index_of(input));
    const std::string group = group_of(input);
    own.sign = read_values(file, group + "/sign", a * b, path.string());
    own.factors.p1 = read_square(file, group + "/p1", a, path.string());
    own.factors.p2 = read_square(file, group + "/p2", b, path.string());
  }
  return transform;
}

}  // namespace btc
