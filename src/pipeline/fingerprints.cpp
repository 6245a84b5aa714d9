#include "pipeline/fingerprints.hpp"

#include <cstdlib>
#include <map>

#include "common/hash.hpp"
#include "pack/packed_model.hpp"
#include "pipeline/encode.hpp"

namespace btc {

namespace {

using Parts = std::map<std::string, std::string>;

// Raise a stage's version when its results change for equal parts.
constexpr int kOriginalVersion = 1;
constexpr int kSequencesVersion = 1;
constexpr int kCaptureVersion = 1;
constexpr int kFisherVersion = 1;
constexpr int kLearnVersion = 2;
constexpr int kBinarizeVersion = 3;
constexpr int kCodebookVersion = 1;
constexpr int kEncodeVersion = 4;
constexpr int kRefineVersion = 5;
constexpr int kDistillVersion = 5;
constexpr int kReduceVersion = 1;

/// The options below one of these keys (`binarize.` or a whole key).
Parts options_of(const PipelineConfig& config, const std::vector<std::string>& keys) {
  Parts parts;
  for (const auto& [name, value] : to_options(config)) {
    for (const std::string& key : keys) {
      const bool whole_section = key.ends_with('.') && name.starts_with(key);
      if (whole_section || name == key) {
        parts[name] = value;
      }
    }
  }
  return parts;
}

/// What changes bits: the instruction set MKL was told to use, and whether blocks run on a device.
std::string math_mode(const TorchPlace& place) {
  const char* mode = std::getenv("MKL_CBWR");
  return std::string(mode == nullptr ? "default" : mode) +
         (place.on_device() ? ", blocks on CUDA" : "");
}

std::string join_fingerprints(const std::vector<Unit>& units) {
  std::string text;
  for (const Unit& unit : units) {
    text += unit.fingerprint;
  }
  return sha256_hex(text);
}

Unit sequences_unit(const PipelineConfig& config, const RunPaths& paths,
                    const SourceIdentity& identity, const std::string& content) {
  Parts parts = options_of(
      config, {"calibration.source", "calibration.samples", "calibration.window", "run.seed"});
  if (config.calibration.source == TokenSource::kSelf) {
    parts["model"] = original_fingerprint(config, identity);
  } else {
    parts["content"] = content;
  }
  return {"sequences", "calibration", paths.sequences(),
          make_fingerprint("sequences", kSequencesVersion, parts)};
}

/// What the inputs of all blocks depend on, in every sweep.
Parts capture_parts(const PipelineConfig& config, const SourceIdentity& identity,
                    const TorchPlace& place) {
  Parts parts = options_of(config, {"compute.threads_per_rank"});
  parts["math"] = math_mode(place);
  parts["config"] = identity.config_sha256;
  return parts;
}

std::vector<Unit> capture_units(const PipelineConfig& config, const RunPaths& paths,
                                const SourceIdentity& identity, const Unit& sequences,
                                const TorchPlace& place) {
  std::vector<Unit> units;
  Parts parts = capture_parts(config, identity, place);
  parts["input"] = sequences.fingerprint;
  parts["weights"] = identity.outer;
  for (std::size_t b = 0; b < identity.blocks.size(); ++b) {
    const int block = static_cast<int>(b);
    units.push_back({"capture", block_stem(block), paths.activations(block),
                     make_fingerprint("capture", kCaptureVersion, parts)});
    parts["input"] = units.back().fingerprint;
    parts["weights"] = identity.blocks[b];
  }
  return units;
}

/// Made from the sequences and all of the original model: the inputs of its last block stand for
/// what comes before.
std::vector<Unit> fisher_units(const PipelineConfig& config, const RunPaths& paths,
                               const SourceIdentity& identity, const std::vector<Unit>& capture,
                               const TorchPlace& place) {
  if (config.refine.dense_epochs == 0) {
    return {};
  }
  Parts parts = capture_parts(config, identity, place);
  parts["input"] = capture.back().fingerprint;
  parts["weights"] = identity.blocks.back() + identity.outer;
  return {{"fisher", "model", paths.fisher(), make_fingerprint("fisher", kFisherVersion, parts)}};
}

std::vector<Unit> learn_units(const PipelineConfig& config, const RunPaths& paths,
                              const SourceIdentity& identity, const std::vector<Unit>& capture,
                              const TorchPlace& place) {
  if (config.transform.kind == TransformKind::kNone) {
    return {};
  }
  const bool learned = learns(config.transform);
  Parts parts = options_of(config, {"transform.", "run.seed"});
  if (learned) {
    parts = options_of(config, {"transform.", "run.seed", "binarize.", "codebook.vector_length",
                                "compute.threads_per_rank"});
    parts["math"] = math_mode(place);
  }
  parts["config"] = identity.config_sha256;
  std::vector<Unit> units;
  for (std::size_t b = 0; b < identity.blocks.size(); ++b) {
    const int block = static_cast<int>(b);
    parts["block"] = block_stem(block);
    if (learned) {
      parts["input"] = capture[b].fingerprint;
      parts["weights"] = identity.blocks[b];
    }
    units.push_back({"learn", block_stem(block), paths.transform(block),
                     make_fingerprint("learn", kLearnVersion, parts)});
  }
  return units;
}

std::vector<Unit> binarize_units(const PipelineConfig& config, const RunPaths& paths,
                                 const SourceIdentity& identity, const PlannedUnits& planned) {
  const std::vector<Unit>& capture = planned.capture;
  Parts parts = options_of(config, {"binarize.", "compute.", "codebook.vector_length"});
  parts["codebook"] = learns_codebook(config.codebook) ? "learned" : "none";
  if (config.codebook && config.codebook->scope == CodebookScope::kBlockGroup) {
    parts["codebook"] = "learned for each panel";
  }
  if (is_masked(config.codebook)) {
    parts["codebook"] += ", of sets";
  }
  std::vector<Unit> units;
  for (std::size_t b = 0; b < capture.size(); ++b) {
    parts["input"] = capture[b].fingerprint;
    parts["weights"] = identity.blocks[b];
    if (!planned.learn.empty()) {
      parts["transform"] = planned.learn[b].fingerprint;
    }
    const int block = static_cast<int>(b);
    units.push_back({"binarize", block_stem(block), paths.binarized(block),
                     make_fingerprint("binarize", kBinarizeVersion, parts)});
  }
  return units;
}

std::vector<Unit> codebook_units(const PipelineConfig& config, const RunPaths& paths,
                                 const std::vector<Unit>& binarize) {
  if (!learns_codebook(config.codebook)) {
    return {};
  }
  Parts parts = options_of(config, {"codebook.vector_length", "codebook.target_bits",
                                    "codebook.centroids", "codebook.scope", "codebook.init",
                                    "codebook.iterations", "run.seed", "compute.backend"});
  if (config.codebook->scope == CodebookScope::kModel) {
    parts["input"] = join_fingerprints(binarize);
    return {{"codebook", "model", paths.model_codebook(),
             make_fingerprint("codebook", kCodebookVersion, parts)}};
  }
  std::vector<Unit> units;
  for (std::size_t b = 0; b < binarize.size(); ++b) {
    parts["input"] = binarize[b].fingerprint;
    const int block = static_cast<int>(b);
    units.push_back({"codebook", block_stem(block), paths.codebooks(block),
                     make_fingerprint("codebook", kCodebookVersion, parts)});
  }
  return units;
}

std::vector<Unit> encode_units(const PipelineConfig& config, const RunPaths& paths,
                               const PlannedUnits& units) {
  const Parts encode_options = options_of(
      config, {"codebook.codec", "codebook.assignment", "codebook.encode", "codebook.refit"});
  const Parts absorb_options =
      options_of(config, {"refine.dense_epochs", "refine.block_learning_rate",
                          "refine.dense_learning_rate", "refine.batch", "run.seed"});
  std::vector<Unit> encode;
  for (std::size_t b = 0; b < units.binarize.size(); ++b) {
    const int block = static_cast<int>(b);
    Parts parts = encode_options;
    parts["input"] = units.binarize[b].fingerprint;
    const Unit* codebook = codebook_unit(config, units, block);
    parts["codebook"] = codebook == nullptr ? "none" : codebook->fingerprint;
    if (config.refine.dense_epochs > 0) {
      parts.insert(absorb_options.begin(), absorb_options.end());
      parts["fisher"] = units.fisher.front().fingerprint;
    }
    if (has_rice_map(config.binarize)) {
      parts["group_map"] = "rice, parameter first";
    }
    encode.push_back({"encode", block_stem(block), paths.packed(block),
                      make_fingerprint("encode", kEncodeVersion, parts)});
  }
  return encode;
}

/// Fills the stages from binarize to encode of a sweep.
void add_quantization(const PipelineConfig& config, const RunPaths& paths,
                      const SourceIdentity& identity, PlannedUnits& units) {
  units.binarize = binarize_units(config, paths, identity, units);
  units.codebook = codebook_units(config, paths, units.binarize);
  units.encode = encode_units(config, paths, units);
}

/// The sweep after `before`, whose inputs have passed the blocks that `before` encodes.
PlannedUnits next_sweep(const PipelineConfig& config, const RunPaths& paths,
                        const SourceIdentity& identity, const TorchPlace& place,
                        PlannedUnits before) {
  PlannedUnits units;
  units.sequences = before.sequences;
  units.shared = before.shared;
  units.fisher = before.fisher;
  units.learn = before.learn;
  units.capture = {before.capture.front()};  // embeddings are not quantized
  Parts parts = capture_parts(config, identity, place);
  for (std::size_t b = 1; b < before.capture.size(); ++b) {
    const int block = static_cast<int>(b);
    parts["input"] = units.capture.back().fingerprint;
    parts["weights"] = before.encode[b - 1].fingerprint;
    units.capture.push_back({"capture", block_stem(block), paths.activations(block),
                             make_fingerprint("capture", kCaptureVersion, parts), paths.state()});
  }
  add_quantization(config, paths, identity, units);
  for (std::vector<Unit>* stage : {&units.binarize, &units.codebook, &units.encode}) {
    for (Unit& unit : *stage) {
      unit.records = paths.state();
    }
  }
  units.earlier = std::move(before.earlier);
  before.earlier.clear();
  units.earlier.push_back(std::move(before));
  return units;
}

std::vector<Unit> refine_units(const PipelineConfig& config, const RunPaths& paths,
                               const SourceIdentity& identity, const PlannedUnits& units,
                               const TorchPlace& place) {
  if (config.refine.block_epochs == 0) {
    return {};
  }
  Parts parts = options_of(config, {"refine.block_epochs", "refine.block_learning_rate",
                                    "refine.block_sign_learning_rate", "refine.batch", "run.seed",
                                    "compute.threads_per_rank"});
  parts["math"] = math_mode(place);
  std::vector<Unit> refine;
  for (std::size_t b = 0; b < units.encode.size(); ++b) {
    parts["input"] = units.encode[b].fingerprint;
    parts["activations"] = units.capture[b].fingerprint;
    parts["weights"] = identity.blocks[b];
    const int block = static_cast<int>(b);
    refine.push_back({"refine", block_stem(block), paths.refined(block),
                      make_fingerprint("refine", kRefineVersion, parts)});
  }
  return refine;
}

/// Moves what does not depend on the quantization to a folder of its own below `shared`.
void keep_shared(PlannedUnits& units, const std::filesystem::path& shared) {
  constexpr std::size_t kNameLength = 16;  // hex digits
  units.shared = shared / units.capture.back().fingerprint.substr(0, kNameLength);
  const RunPaths paths = {units.shared};
  units.sequences.file = paths.sequences();
  units.sequences.records = paths.state();
  for (std::size_t b = 0; b < units.capture.size(); ++b) {
    units.capture[b].file = paths.activations(static_cast<int>(b));
    units.capture[b].records = paths.state();
  }
  for (Unit& unit : units.fisher) {
    unit.file = paths.fisher();
    unit.records = paths.state();
  }
}

/// Fills the epochs, each made from the one before, and the blocks that the last one leaves.
void add_distill_units(const PipelineConfig& config, const RunPaths& paths,
                       const SourceIdentity& identity, const TorchPlace& place,
                       PlannedUnits& units) {
  if (config.refine.kd_epochs == 0) {
    return;
  }
  Parts parts = options_of(
      config, {"refine.kd_epochs", "refine.kd_learning_rate", "refine.kd_sign_learning_rate",
               "refine.batch", "run.seed", "compute.threads_per_rank"});
  parts["math"] = math_mode(place);
  parts["input"] = join_fingerprints(units.trained_from());
  const std::vector<Unit>& capture = units.first_sweep().capture;
  parts["activations"] = capture.front().fingerprint + capture.back().fingerprint;
  parts["weights"] = identity.blocks.back() + identity.outer;
  for (int epoch = 1; epoch <= config.refine.kd_epochs; ++epoch) {
    const std::string name = "epoch-" + std::to_string(epoch);
    parts["epoch"] = std::to_string(epoch);
    units.distill_epochs.push_back({"distill", name, paths.distilled(name + ".h5"),
                                    make_fingerprint("distill", kDistillVersion, parts)});
  }
  const std::string trained = units.distill_epochs.back().fingerprint;
  for (std::size_t b = 0; b < units.encode.size(); ++b) {
    const std::string name = block_stem(static_cast<int>(b));
    units.distill.push_back(
        {"distill", name, paths.distilled(name + ".safetensors"),
         make_fingerprint("distill", kDistillVersion, {{"trained", trained}, {"block", name}})});
  }
}

}  // namespace

std::string original_fingerprint(const PipelineConfig& config, const SourceIdentity& identity,
                                 const TorchPlace& place) {
  Parts parts = options_of(config, {"compute.threads_per_rank"});
  parts["math"] = math_mode(place);
  parts["weights"] = identity.whole();
  return make_fingerprint("original", kOriginalVersion, parts);
}

std::string packed_fingerprint(const PipelineConfig& config, const std::string& manifest_sha256,
                               const TorchPlace& place) {
  Parts parts = options_of(config, {"compute.threads_per_rank"});
  parts["math"] = math_mode(place);
  parts["manifest"] = manifest_sha256;
  return make_fingerprint("packed directory", kOriginalVersion, parts);
}

Unit windows_unit(const PerplexityParams& params, const PipelineConfig& config,
                  const RunPaths& paths, const SourceIdentity& identity,
                  const std::string& content) {
  Parts parts = {{"source", std::to_string(static_cast<int>(params.source))},
                 {"window", std::to_string(params.window)},
                 {"limit", params.windows ? std::to_string(*params.windows) : "all"}};
  if (params.join != TextJoin::kAuto) {
    parts["join"] = kTextJoinNames.at(static_cast<std::size_t>(params.join));
  }
  if (params.source == TokenSource::kSelf) {
    parts["samples"] = std::to_string(params.samples);
    parts["seed"] = std::to_string(config.run.seed);
    parts["model"] = original_fingerprint(config, identity);
  } else {
    parts["content"] = content;
  }
  return {"sequences", "evaluation-" + params.name, paths.windows(params.name),
          make_fingerprint("windows", kSequencesVersion, parts)};
}

const Unit* codebook_unit(const PipelineConfig& config, const PlannedUnits& units, int block) {
  if (!learns_codebook(config.codebook)) {
    return nullptr;
  }
  const bool shared = config.codebook->scope == CodebookScope::kModel;
  return &units.codebook.at(shared ? 0 : static_cast<std::size_t>(block));
}

PlannedUnits plan_units(const PipelineConfig& config, const RunPaths& paths,
                        const SourceIdentity& identity, const std::string& sequences_content,
                        const TorchPlace& place) {
  PlannedUnits units;
  units.sequences = sequences_unit(config, paths, identity, sequences_content);
  units.capture = capture_units(config, paths, identity, units.sequences, place);
  units.fisher = fisher_units(config, paths, identity, units.capture, place);
  if (!config.run.shared.empty()) {
    keep_shared(units, config.run.shared);
  }
  units.learn = learn_units(config, paths, identity, units.capture, place);
  add_quantization(config, paths, identity, units);
  for (int sweep = 2; sweep <= config.calibration.sweeps; ++sweep) {
    units = next_sweep(config, paths.sweep(sweep), identity, place, std::move(units));
  }
  units.refine = refine_units(config, paths, identity, units, place);
  add_distill_units(config, paths, identity, place, units);
  const int blocks = static_cast<int>(units.capture.size());
  for (int shard = 0; shard <= blocks; ++shard) {
    const bool outer = shard == blocks;
    Parts parts = {
        {"input", outer ? join_fingerprints(units.codebook)
                        : units.final_blocks().at(static_cast<std::size_t>(shard)).fingerprint},
        {"weights", outer ? identity.outer : ""}};
    units.shards.push_back({"reduce", outer ? "outer" : block_stem(shard),
                            paths.model() / shard_name(shard, blocks),
                            make_fingerprint("reduce", kReduceVersion, parts)});
  }
  const Parts model_parts = {{"shards", join_fingerprints(units.shards)},
                             {"config", identity.config_sha256}};
  units.model = {"reduce", "model", paths.model() / "manifest.json",
                 make_fingerprint("model", kReduceVersion, model_parts)};
  return units;
}

}  // namespace btc
