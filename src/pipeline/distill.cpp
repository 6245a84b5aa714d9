#include "pipeline/distill.hpp"

#include <fmt/format.h>
#include <algorithm>
#include <cstring>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <utility>

#include "calibration/activation_store.hpp"
#include "comm/agree.hpp"
#include "common/hash.hpp"
#include "common/log.hpp"
#include "common/rng.hpp"
#include "common/timer.hpp"
#include "pipeline/encode.hpp"
#include "pipeline/progress.hpp"
#include "pipeline/sign_training.hpp"
#include "pipeline/stored_block.hpp"
#include "pipeline/training_file.hpp"
#include "refine/distilled_model.hpp"
#include "refine/sequence_order.hpp"
#include "refine/training_state.hpp"

namespace btc {
namespace {

/// Items of a list that this rank computes: those whose place is its rank modulo their number.
std::vector<std::size_t> own_share(const Communicator& comm,
                                   const std::vector<std::size_t>& items) {
  std::vector<std::size_t> own;
  for (auto i = static_cast<std::size_t>(comm.rank()); i < items.size();
       i += static_cast<std::size_t>(comm.size())) {
    own.push_back(items[i]);
  }
  return own;
}

template <typename T>
std::string to_bytes(const std::vector<T>& values) {
  std::string bytes(values.size() * sizeof(T), '\0');
  std::memcpy(bytes.data(), values.data(), bytes.size());
  return bytes;
}

template <typename T>
std::vector<T> from_bytes(const std::string& bytes, std::size_t first, std::size_t count) {
  std::vector<T> values(count);
  BTC_CHECK((first + count) * sizeof(T) <= bytes.size(), "a rank sent ", bytes.size(), " bytes");
  std::memcpy(values.data(), bytes.data() + first * sizeof(T), count * sizeof(T));
  return values;
}

/// Samples of some sequences, in order.
class SampleReader {
 public:
  SampleReader(const UnitStore& store, const PlannedUnits& units,
               const std::vector<std::size_t>& sequences)
      : store_(store), units_(units) {
    store_.read(first(), [&] { return (embedded_.emplace(first().file, sequences), 0); });
    store_.read(last(), [&] { return (last_input_.emplace(last().file, sequences), 0); });
  }
  std::vector<DistillSample> next(std::size_t count) {
    std::vector<DistillSample> samples(count);
    for (DistillSample& sample : samples) {
      sample.embedded = store_.read(first(), [&] { return embedded_->next(); });
      sample.last_input = store_.read(last(), [&] { return last_input_->next(); });
    }
    return samples;
  }

 private:
  [[nodiscard]] const Unit& first() const { return units_.capture.front(); }
  [[nodiscard]] const Unit& last() const { return units_.first_sweep().capture.back(); }
  const UnitStore& store_;
  const PlannedUnits& units_;
  std::optional<ActivationReader> embedded_, last_input_;
};

class Distillation {
 public:
  Distillation(StageRunner& runner, const PlannedUnits& units, const PipelineConfig& config,
               DistilledModel& model)
      : runner_(runner),
        units_(units),
        config_(config),
        model_(model),
        split_(split_sequences(config.calibration.samples)) {}

  /// Zero changes, and how far the encoded model is. Collective.
  TrainingState begin() {
    TrainingState state = begin_training(model_.size(), config_.refine.kd_learning_rate);
    state.best_loss = held_out_divergence([&] { model_.restore(); });
    return state;
  }

  /// Collective. @return the held-out divergence per token afterwards
  double train_epoch(int epoch, TrainingState& state) {
    const std::vector<std::size_t> order =
        shuffled(split_.training, derive_seed(config_.run.seed, "distill", 0), epoch);
    std::optional<SampleReader> samples;
    agree(comm(), "distill",
          [&] { samples.emplace(runner_.store(), units_, sequences_of_rank(order)); });
    for_each_step(order.size(), config_.refine.batch, epoch, config_.refine.kd_epochs,
                  [&](std::size_t /*first*/, std::size_t count, double share) {
                    const auto gradients = gradients_of_step(*samples, count, state.change);
                    training_step(sum_of(gradients), share, state);
                  });
    const double divergence = held_out_divergence([&] { model_.set(state.change); });
    judge_epoch(divergence, epoch + 1, state);
    return divergence;
  }

 private:
  [[nodiscard]] const Communicator& comm() const { return runner_.comm(); }

  /// The sequences of an epoch that this rank works on, step after step.
  [[nodiscard]] std::vector<std::size_t> sequences_of_rank(
      const std::vector<std::size_t>& order) const {
    std::vector<std::size_t> sequences;
    for_each_step(
        order.size(), config_.refine.batch, 0, 1,
        [&](std::size_t first, std::size_t count, double /*share*/) {
          const auto begin = order.begin() + static_cast<std::ptrdiff_t>(first);
          const auto own = own_share(comm(), {begin, begin + static_cast<std::ptrdiff_t>(count)});
          sequences.insert(sequences.end(), own.begin(), own.end());
        });
    return sequences;
  }

  [[nodiscard]] std::size_t own_count(std::size_t count) const {
    return own_share(comm(), std::vector<std::size_t>(count)).size();
  }

  /// Gradients of all samples of a step, in their order, on every rank.
  std::vector<DistillGradient> gradients_of_step(SampleReader& samples, std::size_t count,
                                                 std::span<const float> change) {
    std::vector<float> own;
    agree(comm(), "distill", [&] {
      model_.set(change);
      for (const DistillGradient& gradient : model_.gradients(samples.next(own_count(count)))) {
        own.insert(own.end(), gradient.change.begin(), gradient.change.end());
      }
    });
    const std::vector<std::string> texts = comm().all_gather(to_bytes(own));
    std::vector<DistillGradient> all(count);
    for (std::size_t s = 0; s < count; ++s) {
      all[s].change = from_bytes<float>(texts[s % texts.size()], s / texts.size() * model_.size(),
                                        model_.size());
    }
    return all;
  }

  /// Of the values that `choose` gives the model, rounded as they are stored, per token.
  double held_out_divergence(const std::function<void()>& choose) {
    const std::vector<std::size_t> sequences = own_share(comm(), split_.held_out);
    std::vector<double> own;
    agree(comm(), "distill", [&] {
      choose();
      model_.round();
      SampleReader samples(runner_.store(), units_, sequences);
      const auto batch = static_cast<std::size_t>(config_.refine.batch);
      for (std::size_t first = 0; first < sequences.size(); first += batch) {
        const auto values =
            model_.divergences(samples.next(std::min(batch, sequences.size() - first)));
        own.insert(own.end(), values.begin(), values.end());
      }
    });
    const std::vector<std::string> texts = comm().all_gather(to_bytes(own));
    double sum = 0;
    for (std::size_t s = 0; s < split_.held_out.size(); ++s) {
      sum += from_bytes<double>(texts[s % texts.size()], s / texts.size(), 1)[0];
    }
    return sum / static_cast<double>(split_.held_out.size() * config_.calibration.window);
  }

  StageRunner& runner_;
  const PlannedUnits& units_;
  const PipelineConfig& config_;
  DistilledModel& model_;
  SequenceSplit split_;
};

/// The quantized model as the stages before left it, with the codebooks that its blocks hold.
struct LoadedModel {
  std::unique_ptr<SignTraining> signs;  ///< where signs are trained
  std::unique_ptr<DistilledModel> model;
  std::vector<std::vector<Codebook>> codebooks;
};

LoadedModel load_model(const StageRunner& runner, const PlannedUnits& units,
                       const PipelineConfig& config, const IdentifiedModel& original,
                       Backend& backend, TorchPlace place) {
  const PackedFormat format = packed_format(config);
  LoadedModel loaded;
  loaded.signs = std::make_unique<SignTraining>(runner.store(), units, config, original, backend);
  std::vector<ScaledBlock> blocks;
  for (int block = 0; block < original.config().blocks; ++block) {
    const Unit& from = units.trained_from().at(static_cast<std::size_t>(block));
    StoredBlock stored =
        read_stored_block(runner.store(), from, codebook_unit(config, units, block),
                          original.config(), block, format);
    blocks.emplace_back(std::move(stored.linear), std::move(stored.rest), NormGains::kTrained,
                        std::move(stored.transform));
    if (config.refine.kd_sign_learning_rate > 0) {
      loaded.signs->add_to(blocks.back(), block,
                           config.refine.kd_sign_learning_rate / config.refine.kd_learning_rate);
    }
    loaded.codebooks.push_back(std::move(stored.codebooks));
  }
  loaded.model = std::make_unique<DistilledModel>(original, std::move(blocks), place);
  return loaded;
}

/// The state after epoch `count`, 0 being the start. Collective.
TrainingState state_after(std::size_t count, const StageRunner& runner, const PlannedUnits& units,
                          Distillation& distillation) {
  if (count == 0) {
    return distillation.begin();
  }
  TrainingState state;
  const Unit& unit = units.distill_epochs.at(count - 1);
  agree(runner.comm(), "distill", [&] {
    state = runner.store().read_hashed(
        unit, [&] { return read_training_state(unit.file, unit.fingerprint); });
  });
  return state;
}

std::size_t train_epochs(StageRunner& runner, const PlannedUnits& units,
                         const std::vector<std::size_t>& todo, Distillation& distillation) {
  const Communicator& comm = runner.comm();
  const std::vector<Unit>& epochs = units.distill_epochs;
  Progress progress("distill", epochs.size(), epochs.size() - todo.size(), comm.rank() == 0);
  std::optional<std::size_t> present;  // the epoch whose outcome `state` is
  TrainingState state;
  double longest = 0;
  for (const std::size_t epoch : todo) {
    runner.stop_point(longest);
    const Timer timer;
    if (present != epoch) {
      state = state_after(epoch, runner, units, distillation);
    }
    const double before = state.best_loss;
    const double divergence = distillation.train_epoch(static_cast<int>(epoch), state);
    present = epoch + 1;
    const std::string note = fmt::format("held-out divergence {:.4f}, before {:.4f}{}", divergence,
                                         before, state.recoveries > 0 ? ", steps not finite" : "");
    agree(comm, "distill", [&] {
      if (comm.rank() == 0) {
        const Unit& unit = epochs[epoch];
        write_training_state(unit.file, state, unit.fingerprint);
        runner.store().record(unit, {.bytes = std::filesystem::file_size(unit.file),
                                     .sha256 = sha256_file(unit.file),
                                     .seconds = timer.seconds(),
                                     .note = note,
                                     .payload = "null"});
      }
    });
    longest = std::max(longest, timer.seconds());
    progress.finished(epochs[epoch].name, note);
  }
  return todo.size();
}

}  // namespace

std::size_t distill_model(StageRunner& runner, const PlannedUnits& units,
                          const PipelineConfig& config, const Checkpoint& checkpoint,
                          const IdentifiedModel& original, Backend& backend, TorchPlace place) {
  const std::vector<std::size_t> todo = runner.unfinished(units.distill_epochs);
  if (todo.empty() && runner.unfinished(units.distill).empty()) {
    return 0;
  }
  LoadedModel loaded;
  agree(runner.comm(), "reading the encoded blocks",
        [&] { loaded = load_model(runner, units, config, original, backend, place); });
  Distillation distillation(runner, units, config, *loaded.model);
  std::size_t computed = train_epochs(runner, units, todo, distillation);
  const TrainingState state = state_after(units.distill_epochs.size(), runner, units, distillation);
  leave_best(state, *loaded.model);
  const PackedFormat format = packed_format(config);
  computed += runner.run(units.distill, [&](std::size_t b) {
    const PackedBlockFile written =
        write_trained_block(units.distill[b], loaded.model->blocks()[b], loaded.codebooks[b],
                            checkpoint, static_cast<int>(b), format);
    return UnitResult{.bytes = written.file.bytes,
                      .sha256 = written.file.sha256,
                      .seconds = 0,
                      .note = fmt::format("values of epoch {}", state.best_epoch),
                      .payload = "null"};
  });
  return computed;
}

}  // namespace btc
