#include "pipeline/transforms.hpp"

#include <fmt/format.h>
#include <algorithm>
#include <cmath>
#include <optional>
#include <string_view>
#include <utility>

#include "common/error.hpp"
#include "common/hash.hpp"
#include "common/log.hpp"
#include "common/rng.hpp"
#include "common/timer.hpp"
#include "learn/learn_transform.hpp"
#include "pipeline/progress.hpp"
#include "pipeline/stage_file.hpp"
#include "pipeline/stored_inputs.hpp"
#include "pipeline/training_file.hpp"

namespace btc {

namespace {

constexpr StageFileKind kKind = {"btc.transform", "1.0"};
/// Sub-vectors of L_bal where there is no codebook.
constexpr std::size_t kFreeSigns = 16;

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

/// A transform and what the log says about it.
struct LearnedUnit {
  BlockTransform transform;
  std::string note;
};

/// State of a block that is learning, until its transform is written.
std::filesystem::path training_path(const Unit& unit) {
  std::filesystem::path path = unit.file;
  return path.replace_extension(".training.h5");
}

/// The state that an interrupted start left, if it is this unit's.
std::optional<TrainingState> left_state(const Unit& unit, std::size_t size) {
  const std::filesystem::path path = training_path(unit);
  if (!std::filesystem::exists(path)) {
    return std::nullopt;
  }
  try {
    TrainingState state = read_training_state(path, unit.fingerprint);
    BTC_REQUIRE(FormatError, state.change.size() == size, path.string(), ": ", state.change.size(),
                " values, expected ", size);
    return state;
  } catch (const Error& error) {
    log_warning(concat(unit.name, " learns from the start again: ", error.what()));
    return std::nullopt;
  }
}

/// Nothing where neither loss is used.
std::string describe(const std::optional<SignLosses>& signs) {
  return signs ? fmt::format(", L_sim {:.4f}, L_bal {:.2e}", signs->similarity, signs->balance)
               : std::string();
}

LearnedUnit learn_block(StageRunner& runner, const PlannedUnits& units,
                        const PipelineConfig& config, const IdentifiedModel& original,
                        std::size_t number, std::uint64_t seed, TorchPlace place) {
  const Unit& unit = units.learn[number];
  const ModelConfig& model = original.config();
  const BlockWeights weights = original.load_block(static_cast<int>(number));
  const std::size_t panel = config.binarize.scales == ScaleLayout::kPanel
                                ? panel_width(config.binarize, config.codebook)
                                : 0;
  TransformedBlock block(model, weights, config.transform, config.binarize, panel, seed, place);
  const OpenSequences open = stored_inputs(runner.store(), units.capture[number]);
  const LearnProblem problem{
      .model = model,
      .original = weights,
      .sequences = config.calibration.samples,
      .open = open,
      .vector_length =
          config.codebook ? static_cast<std::size_t>(config.codebook->vector_length) : kFreeSigns,
      .seed = derive_seed(seed, "order", 0),
      .place = place};
  const LearnSchedule schedule = schedule_of(config.transform);
  const int epochs = epochs_of(schedule, problem.sequences);
  std::optional<TrainingState> left = left_state(unit, block.size());
  TrainingState state = left ? std::move(*left) : begin_learning(problem, schedule, block);
  const int done = state.epochs;
  if (done > 0) {
    log_info(fmt::format("learn {}: goes on after epoch {} of {}", unit.name, done, epochs));
  }
  const Timer timer;
  learn_transform(problem, schedule, config.transform, block, state,
                  [&](const LearnProgress& progress, const TrainingState& present) {
                    write_training_state(training_path(unit), present, unit.fingerprint);
                    const double each = timer.seconds() / (progress.epoch - done);
                    log_info(fmt::format(
                        "learn {}: epoch {} of {}, held-out error {:.4f}, best {:.4f}{}, "
                        "|P - P0| {:.4f}, eta {}",
                        unit.name, progress.epoch, epochs, progress.error, present.best_loss,
                        describe(progress.signs), progress.distance,
                        format_duration(each * (epochs - progress.epoch))));
                    if (progress.epoch < epochs) {
                      runner.leave_point(each);
                    }
                  });
  std::string note = fmt::format("best error {:.4f} (epoch {})", state.best_loss, state.best_epoch);
  if (state.recoveries > 0) {
    note += fmt::format(", {} steps not finite", state.recoveries);
  }
  return {best_transform(state, block), std::move(note)};
}

}  // namespace

std::size_t learn_transforms(StageRunner& runner, const PlannedUnits& units,
                             const PipelineConfig& config, const IdentifiedModel& original,
                             TorchPlace place) {
  return runner.run(units.learn, [&](std::size_t b) {
    const Unit& unit = units.learn[b];
    const std::uint64_t seed = derive_seed(config.run.seed, "transform", b);
    LearnedUnit made;
    if (learns(config.transform)) {
      made = learn_block(runner, units, config, original, b, seed, place);
    } else {
      made = {random_transform(original.config(), config.transform, seed),
              "random, nothing is learned"};
    }
    const std::size_t bytes = write_transform(unit.file, made.transform, unit.fingerprint);
    std::filesystem::remove(training_path(unit));
    return UnitResult{.bytes = bytes,
                      .sha256 = sha256_file(unit.file),
                      .seconds = 0,
                      .note = made.note,
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
    if (file.has(group + "/p1")) {
      own.factors.p1 = read_square(file, group + "/p1", a, path.string());
      own.factors.p2 = read_square(file, group + "/p2", b, path.string());
    }
  }
  return transform;
}

}  // namespace btc
