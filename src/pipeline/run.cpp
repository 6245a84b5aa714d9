#include "pipeline/run.hpp"

#include <algorithm>
#include <functional>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "calibration/tokens.hpp"
#include "comm/agree.hpp"
#include "common/error.hpp"
#include "common/hash.hpp"
#include "common/log.hpp"
#include "common/rng.hpp"
#include "io/atomic_file.hpp"
#include "model/checkpoint.hpp"
#include "pipeline/absorb.hpp"
#include "pipeline/binarized_block.hpp"
#include "pipeline/capture.hpp"
#include "pipeline/codebooks.hpp"
#include "pipeline/distill.hpp"
#include "pipeline/encode.hpp"
#include "pipeline/encoded_model.hpp"
#include "pipeline/environment_report.hpp"
#include "pipeline/evaluate.hpp"
#include "pipeline/fingerprints.hpp"
#include "pipeline/fisher.hpp"
#include "pipeline/plan.hpp"
#include "pipeline/reduce.hpp"
#include "pipeline/refine.hpp"
#include "pipeline/results.hpp"
#include "pipeline/run_lock.hpp"
#include "pipeline/sequences.hpp"
#include "pipeline/source_identity.hpp"
#include "pipeline/stage_clock.hpp"
#include "pipeline/stage_runner.hpp"
#include "pipeline/stored_block.hpp"
#include "pipeline/stored_inputs.hpp"
#include "pipeline/transforms.hpp"
#include "pipeline/zero_shot.hpp"

namespace btc {

namespace fs = std::filesystem;

namespace {

/// A run that is under way: what its stages have in common.
struct Run {
  const PipelineConfig& config;
  const RunPaths& paths;
  const Checkpoint& checkpoint;
  const SourceIdentity& identity;
  const IdentifiedModel& original;
  const PlannedUnits& units;
  StageRunner& runner;
  Backend& backend;
  TorchPlace place;            ///< of LibTorch on this rank
  DeviceCommunicator* device;  ///< between the ranks' devices; null where none is needed
};

UnitResult describe_output(const fs::path& file, std::string note) {
  return {.bytes = fs::file_size(file),
          .sha256 = sha256_file(file),
          .seconds = 0,
          .note = std::move(note),
          .payload = "null"};
}

std::size_t run_sequences(const Run& run) {
  const Communicator& comm = run.runner.comm();
  const Unit& unit = run.units.sequences;
  if (run.runner.unfinished({unit}).empty()) {
    return 0;
  }
  run.runner.stop_point();
  const CalibrationParams& calibration = run.config.calibration;
  const std::size_t vocab = run.checkpoint.config().vocab_size;
  const auto source = kTokenSourceNames.at(static_cast<std::size_t>(calibration.source));
  log_info(concat("sequences: ", calibration.samples, " of ", calibration.window, " tokens from ",
                  source));
  Matrix<std::int32_t> ids;
  if (calibration.source == TokenSource::kSelf) {
    ids = sample_from_model(run.original, comm, calibration.samples, calibration.window,
                            run.config.run.seed, "calibration");
  }
  agree(comm, "calibration", [&] {
    if (comm.rank() != 0) {
      return;
    }
    if (calibration.source != TokenSource::kSelf) {
      ids = read_calibration(run.config, vocab);
    }
    write_sequences(unit.file, ids, vocab, std::string(source));
    run.runner.store().record(unit, describe_output(unit.file, {}));
  });
  return 1;
}

/// @param model that the sequences pass
std::size_t run_capture(const Run& run, const ModelSource& model) {
  if (run.runner.unfinished(run.units.capture).empty()) {
    return 0;
  }
  Matrix<std::int32_t> sequences;
  agree(run.runner.comm(), "reading the calibration sequences", [&] {
    sequences = stored_sequences(run.runner.store(), run.units.sequences,
                                 run.checkpoint.config().vocab_size);
  });
  const auto link = make_hidden_link(run.runner.comm(), run.device, run.place);
  return capture_activations(run.runner, run.units.capture, model, sequences, run.place, *link);
}

std::size_t run_binarize(const Run& run) {
  return run.runner.run(run.units.binarize, [&](std::size_t b) {
    const int block = static_cast<int>(b);
    const MergedBlock merged =
        load_merged_block(run.runner.store(), run.units, run.original, block);
    const BinarizedBlock binarized = run.runner.store().read(run.units.capture[b], [&] {
      ActivationReader inputs(run.units.capture[b].file);
      return binarize_block(run.checkpoint.config(), merged.weights, merged.online, inputs,
                            run.config.binarize, run.config.codebook, run.backend, run.place);
    });
    const Unit& unit = run.units.binarize[b];
    write_binarized(unit.file, binarized, unit.fingerprint);
    if (binarized.linear.empty()) {
      return describe_output(
          unit.file, "factors only: signs are chosen in encode" + describe_damping(binarized));
    }
    std::array<double, kLinearKinds.size()> errors{};
    std::transform(binarized.linear.begin(), binarized.linear.end(), errors.begin(),
                   [](const BinarizedLinear& linear) { return linear.relative_error; });
    return describe_output(unit.file, describe_errors(errors) + describe_damping(binarized));
  });
}

std::vector<PatternHistogram> histograms_of(const Run& run, std::size_t block) {
  const Unit& unit = run.units.binarize[block];
  return run.runner.store().read(unit, [&] { return read_histograms(unit.file); });
}

std::size_t run_model_codebook(const Run& run) {
  if (run.runner.unfinished(run.units.codebook).empty()) {
    return 0;
  }
  const CodebookParams& params = *run.config.codebook;
  const PatternHistogram histogram =
      sum_histograms(run.units.binarize.size(), params.vector_length, run.runner.comm(), run.device,
                     [&](std::size_t b) { return histograms_of(run, b); });
  return run.runner.run(run.units.codebook, [&](std::size_t i) {
    const Unit& unit = run.units.codebook[i];
    const std::uint64_t seed = derive_seed(run.config.run.seed, "codebook", 0);
    const std::vector<Codebook> codebooks = {learn_codebook(histogram, params, seed, run.backend)};
    write_codebooks(unit.file, codebooks, unit.fingerprint);
    return describe_output(unit.file, describe_codebooks(codebooks));
  });
}

std::size_t run_codebook(const Run& run) {
  if (!learns_codebook(run.config.codebook)) {
    return 0;
  }
  if (run.config.codebook->scope == CodebookScope::kModel) {
    return run_model_codebook(run);
  }
  return run.runner.run(run.units.codebook, [&](std::size_t b) {
    const Unit& unit = run.units.codebook[b];
    const std::vector<Codebook> codebooks =
        learn_block_codebooks(histograms_of(run, b), *run.config.codebook, run.config.run.seed,
                              static_cast<int>(b), run.backend);
    write_codebooks(unit.file, codebooks, unit.fingerprint);
    return describe_output(unit.file, describe_codebooks(codebooks));
  });
}

/// Codebooks of a block, ready for queries; those of scope model are prepared once per rank.
class CodebookShelf {
 public:
  explicit CodebookShelf(const Run& run) : run_(run) {
    entry_.searches = open_searches(run.config.codebook, {}, run.backend);
    entry_.codewords =
        shared_codewords(entry_.searches.empty() ? nullptr : entry_.searches.front().get());
  }

  struct Entry {
    std::vector<Codebook> codebooks;
    std::vector<std::unique_ptr<CodewordSearch>> searches;
    BlockCodewords codewords;
  };
  const Entry& of_block(int block) {
    const Unit* unit = codebook_unit(run_.config, run_.units, block);
    if (unit != nullptr && unit->file != loaded_) {
      entry_ = {run_.runner.store().read_hashed(*unit, [&] { return read_codebooks(unit->file); }),
                {},
                {}};
      const CodebookParams& params = *run_.config.codebook;
      if (params.scope != CodebookScope::kBlockGroup) {
        entry_.searches = open_searches(params, entry_.codebooks, run_.backend);
      }
      entry_.codewords = block_codewords(run_.checkpoint.config(), run_.config.binarize, params,
                                         entry_.searches, entry_.codebooks);
      loaded_ = unit->file;
    }
    return entry_;
  }

 private:
  const Run& run_;
  fs::path loaded_;
  Entry entry_;
};

/// How many columns of the block are salient, of how many: for the report.
std::string describe_salient(const PackedBlock& block) {
  std::size_t salient = 0;
  std::size_t columns = 0;
  for (const QuantizedLinear& linear : block.linear) {
    salient += linear.salient_columns.size();
    columns += linear.cols;
  }
  return concat("[", salient, ", ", columns, "]");
}

std::size_t run_encode(const Run& run) {
  CodebookShelf shelf(run);
  const PackedFormat format = packed_format(run.config);
  return run.runner.run(run.units.encode, [&](std::size_t b) {
    const int block = static_cast<int>(b);
    const Unit& unit = run.units.encode[b];
    MergedBlock merged = load_merged_block(run.runner.store(), run.units, run.original, block);
    TensorStore copied;
    add_copied(copied, run.checkpoint, block, merged.weights);
    const Unit& from = run.units.binarize[b];
    BinarizedBlock binarized =
        run.runner.store().read_hashed(from, [&] { return read_binarized(from.file); });
    const auto& shelved = shelf.of_block(block);
    const OpenSequences inputs = stored_inputs(run.runner.store(), run.units.capture[b]);
    PrepareLinear prepare;
    if (run.config.refine.dense_epochs > 0) {
      prepare = absorb_errors(run.checkpoint.config(), merged.weights, merged.online, inputs,
                              stored_fisher(run.runner.store(), run.units.fisher.front(),
                                            run.checkpoint.config(), block),
                              run.config, derive_seed(run.config.run.seed, "absorb", b),
                              run.backend, run.place);
    }
    EncodedBlock encoded = encode_block(
        std::move(merged.weights), merged.online, std::move(binarized), run.config.binarize,
        run.config.codebook, shelved.codewords, run.backend, prepare);
    const bool own_codebooks =
        run.config.codebook && run.config.codebook->scope != CodebookScope::kModel;
    const PackedBlock packed = {
        .block = block,
        .fingerprint = unit.fingerprint,
        .linear = std::move(encoded.linear),
        .codebooks = own_codebooks ? shelved.codebooks : std::vector<Codebook>{},
        .copied = copied.views(),
        .transform = merged.online};
    const PackedBlockFile written = write_packed_block(unit.file, packed, format);
    return UnitResult{
        .bytes = written.file.bytes,
        .sha256 = written.file.sha256,
        .seconds = 0,
        .note = describe_errors(encoded.relative_error) + describe_recoveries(encoded.recoveries),
        .payload = describe_salient(packed)};
  });
}

/// The models that are measured, the packed one opened when it is first needed.
class Subjects {
 public:
  explicit Subjects(const Run& run)
      : run_(run),
        kept_(run.units.shared.empty() ? run.paths : RunPaths{run.units.shared}),
        records_(run.units.shared.empty() ? fs::path() : kept_.state()) {}

  /// Where windows and requests are kept, and the records of what is measured on the original:
  /// other runs may have them too.
  [[nodiscard]] const RunPaths& kept() const { return kept_; }
  [[nodiscard]] const fs::path& records() const { return records_; }

  /// Those of the configuration, in its order.
  std::vector<EvaluationSubject> all() {
    std::vector<EvaluationSubject> subjects;
    for (const Subject subject : run_.config.evaluate.subjects) {
      subjects.push_back(of(subject));
    }
    return subjects;
  }

 private:
  EvaluationSubject of(Subject subject) {
    if (subject == Subject::kPacked) {
      return {subject,
              run_.units.model.fingerprint,
              [this]() -> const ModelSource& { return open_packed(); },
              {}};
    }
    return {subject, original_fingerprint(run_.config, run_.identity, run_.place),
            [this]() -> const ModelSource& { return run_.original; }, records_};
  }

  const ModelSource& open_packed() {
    const Communicator& comm = run_.runner.comm();
    if (!packed_) {
      agree(comm, "checking the packed model", [&] {
        if (comm.rank() == 0) {
          check_packed_model(run_.runner.store(), run_.units, run_.paths);
        }
      });
      agree(comm, "opening the packed model",
            [&] { packed_ = PackedModel::open(run_.paths.model()); });
    }
    return *packed_;
  }

  const Run& run_;
  RunPaths kept_;
  fs::path records_;
  std::unique_ptr<PackedModel> packed_;
};

ZeroShotReport measure_zero_shot(const Run& run, Subjects& subjects, std::size_t& computed) {
  if (!run.config.evaluate.zero_shot) {
    return {};
  }
  const ZeroShotParams& params = *run.config.evaluate.zero_shot;
  const ModelConfig& model = run.checkpoint.config();
  const std::vector<TaskRequests> tasks =
      keep_requests(run.runner, params, run.config.model_path, model, subjects.kept(),
                    subjects.records(), computed);
  std::vector<MeasuredTasks> measured;
  for (const EvaluationSubject& subject : subjects.all()) {
    measured.push_back({subject.subject, measure_tasks(run.runner, subject, tasks, model, params,
                                                       run.place, computed)});
  }
  return report_tasks(tasks, measured);
}

Measurements run_evaluate(const Run& run, std::size_t& computed) {
  Subjects subjects(run);
  Measurements measured;
  measured.perplexity = measure_perplexities(run.runner, run.config,
                                             {subjects.kept(), subjects.records(), run.identity},
                                             run.original, subjects.all(), run.place, computed);
  measured.zero_shot = measure_zero_shot(run, subjects, computed);
  return measured;
}

/// Rewrites a file for people only if its text changed.
void refresh_text(const fs::path& path, const std::string& text) {
  if (!fs::exists(path) || read_text_file(path) != text) {
    write_text_file(path, text);
  }
}

/// @throws ConfigError if it cannot be written
void make_directory(const fs::path& path, std::string_view key) {
  std::error_code error;
  fs::create_directories(path, error);
  BTC_REQUIRE(ConfigError, !error, key, ": cannot create ", path.string(), ": ", error.message());
}

void make_run_directories(const PipelineConfig& config, const RunPaths& paths) {
  make_directory(paths.log(0).parent_path(), "run.dir");
  if (!config.run.shared.empty()) {
    make_directory(config.run.shared, "run.shared");
  }
}

void prepare_directory(const PipelineConfig& config, const Communicator& comm,
                       const RunPaths& paths, const Plan& plan, const TorchPlace& place) {
  const std::string environment =
      concat(describe_run(comm, config.compute.threads_per_rank),
             "blocks run on: ", place.on_device() ? "CUDA" : "the CPU", "\n");
  agree(comm, "preparing the run directory", [&] {
    if (comm.rank() == 0) {
      UnitStore::clean_up(paths.root);
      if (!config.run.shared.empty()) {
        UnitStore::clean_up(config.run.shared);
      }
      refresh_text(paths.root / "config.resolved.yaml", to_yaml(config));
      refresh_text(paths.root / "environment.txt", environment);
      refresh_text(paths.root / "plan.json", plan_json(plan));
      const auto space = fs::space(paths.root);
      if (space.available < plan.disk_bytes) {
        log_warning(concat(paths.root.string(), ": the run may need ", plan.disk_bytes,
                           " bytes of disk, ", space.available, " are free"));
      }
    }
  });
}

/// From the inputs of the blocks to encoded blocks. @param model that the sequences pass
void run_sweep(const Run& run, const ModelSource& model, StageClock& clock) {
  clock.time("capture", [&] { return run_capture(run, model); });
  if (!run.units.fisher.empty()) {
    clock.time("fisher",
               [&] { return measure_fisher(run.runner, run.units, run.original, run.place); });
  }
  if (!run.units.learn.empty()) {
    clock.time("learn", [&] {
      return learn_transforms(run.runner, run.units, run.config, run.original, run.place);
    });
  }
  clock.time("binarize", [&] { return run_binarize(run); });
  clock.time("codebook", [&] { return run_codebook(run); });
  clock.time("encode", [&] { return run_encode(run); });
}

/// All stages in order; the caller times and reports.
RunOutcome run_stages(const Run& run, StageClock& clock) {
  clock.time("sequences", [&] { return run_sequences(run); });
  const std::vector<PlannedUnits>& earlier = run.units.earlier;
  for (std::size_t k = 0; k <= earlier.size(); ++k) {
    const PlannedUnits& units = k < earlier.size() ? earlier[k] : run.units;
    const Run sweep = {run.config, run.paths,  run.checkpoint, run.identity, run.original,
                       units,      run.runner, run.backend,    run.place,    run.device};
    if (k == 0) {
      run_sweep(sweep, run.original, clock);
    } else {
      log_info(concat("sweep ", k + 1, " of ", earlier.size() + 1));
      run_sweep(sweep, EncodedModel(run.runner.store(), earlier[k - 1], run.config, run.original),
                clock);
    }
  }
  if (!run.units.refine.empty()) {
    clock.time("refine", [&] {
      return refine_blocks(run.runner, run.units, run.config, run.checkpoint, run.original,
                           run.backend, run.place);
    });
  }
  if (!run.units.distill.empty()) {
    clock.time("distill", [&] {
      return distill_model(run.runner, run.units, run.config, run.checkpoint, run.original,
                           run.backend, run.place);
    });
  }
  ReducedModel reduced;
  clock.time("reduce", [&] {
    std::size_t computed = 0;
    reduced = reduce_blocks(run.runner, run.units, run.config, run.paths, run.checkpoint,
                            run.identity, computed);
    return computed;
  });
  Measurements measured;
  clock.time("evaluate", [&] {
    std::size_t computed = 0;
    measured = run_evaluate(run, computed);
    return computed;
  });
  report_results(run.config, run.paths, run.checkpoint.config(), run.units, run.runner, reduced,
                 measured, clock);
  return clock.worked() ? RunOutcome::kDone : RunOutcome::kNothingToDo;
}

}  // namespace

bool needs_device_communicator(const PipelineConfig& config, const TorchPlace& place) {
  const bool sums_counts =
      learns_codebook(config.codebook) && config.codebook->scope == CodebookScope::kModel;
  return place.on_device() || (config.compute.backend == BackendKind::kCuda && sums_counts);
}

RunOutcome run_pipeline(const PipelineConfig& config, const Communicator& comm, Backend& backend,
                        TorchPlace place, DeviceCommunicator* device, StopRequest& stop) {
  const RunPaths paths = {config.run.dir};
  std::unique_ptr<Checkpoint> checkpoint;
  Plan plan;
  agree(comm, "start", [&] {
    make_run_directories(config, paths);
    open_log(comm.rank(), paths.log(comm.rank()));
    checkpoint = Checkpoint::open(config.model_path);
    plan = make_plan(config, checkpoint->config(), comm.size());
  });
  try {
    const UnitStore store(paths.state(), config.resume.verify);
    StageRunner runner(comm, store, stop);
    runner.stop_point();
    const std::optional<DirectoryLock> lock = lock_run_directory(runner, paths);
    prepare_directory(config, comm, paths, plan, place);
    const SourceIdentity identity =
        identify_source(*checkpoint, comm, paths.state() / "source.json",
                        config.resume.verify == ResumeVerify::kSize);
    std::string content;
    agree(comm, "calibration", [&] {
      content =
          source_content(config.calibration.source, config.calibration.path, config.model_path);
    });
    const PlannedUnits units = plan_units(config, paths, identity, content, place);
    StageClock clock(paths.state() / "seconds.json", comm.rank() == 0, backend);
    const IdentifiedModel original(*checkpoint, identity);
    return run_stages(
        {config, paths, *checkpoint, identity, original, units, runner, backend, place, device},
        clock);
  } catch (const Stopped&) {
    if (comm.rank() == 0) {
      log_info(concat("stopped at a unit boundary (",
                      stop.reason() == nullptr ? "another rank's request" : stop.reason(),
                      "); the same command goes on from here"));
    }
    return RunOutcome::kStopped;
  }
}

std::string describe_planned_run(const PipelineConfig& config, int ranks) {
  const ModelConfig model = load_model_config(config.model_path);
  std::string text = describe_plan(make_plan(config, model, ranks));
  std::error_code error;
  const fs::path existing = fs::absolute(config.run.dir).root_path();
  fs::path probe = fs::absolute(config.run.dir);
  while (!fs::exists(probe, error) && probe != existing) {
    probe = probe.parent_path();
  }
  constexpr double kGiga = 1e9;
  const auto space = fs::space(probe, error);
  if (!error) {
    text += concat("free disk  ", static_cast<double>(space.available) / kGiga, " GB at ",
                   probe.string(), "\n");
  }
  return text;
}

}  // namespace btc
