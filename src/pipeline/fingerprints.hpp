#pragma once
/// The units of every stage with their fingerprints: who depends on what.

#include <string>
#include <vector>

#include "config/pipeline_config.hpp"
#include "model/torch_place.hpp"
#include "pipeline/run_paths.hpp"
#include "pipeline/source_identity.hpp"
#include "pipeline/state.hpp"

namespace btc {

/// Units of the stages up to the packed model, in block order. Capture to encode are those of the
/// last sweep.
struct PlannedUnits {
  Unit sequences;
  std::vector<Unit> capture;         ///< [blocks]; unit b writes the input of block b
  std::vector<Unit> fisher;          ///< one for the model, none with `refine.dense_epochs: 0`
  std::vector<Unit> learn;           ///< [blocks], none with `transform.kind: none`
  std::vector<Unit> binarize;        ///< [blocks]
  std::vector<Unit> codebook;        ///< [blocks], one for scope model, none without codebook
  std::vector<Unit> encode;          ///< [blocks]
  std::vector<Unit> refine;          ///< [blocks], none with `refine.block_epochs: 0`
  std::vector<Unit> distill_epochs;  ///< [kd_epochs], each made from the one before
  std::vector<Unit> distill;         ///< [blocks], none with `refine.kd_epochs: 0`
  std::vector<Unit> shards;  ///< [blocks + 1] of stage `reduce`; the last is the outer shard
  Unit model;                ///< stage `reduce`: metadata and manifest
  /// Where `sequences`, `capture` and `fisher` are kept when other runs may have them too
  /// (`run.shared`): a folder named by their fingerprint. Empty: with everything else in `run.dir`.
  std::filesystem::path shared;
  /// Sweeps before this one, in their order: capture to encode. They have the same transforms and
  /// Fisher information.
  std::vector<PlannedUnits> earlier;

  /// The units whose files become the shards of the blocks: those of the last stage there is.
  [[nodiscard]] const std::vector<Unit>& final_blocks() const {
    return distill.empty() ? trained_from() : distill;
  }
  /// The sweep whose inputs come from the original model.
  [[nodiscard]] const PlannedUnits& first_sweep() const {
    return earlier.empty() ? *this : earlier.front();
  }
  /// The units whose files the distill stage starts from.
  [[nodiscard]] const std::vector<Unit>& trained_from() const {
    return refine.empty() ? encode : refine;
  }
};

/// @param sequences_content what the calibration sequences are made of: the content hash of the
///        token or text file, or empty for `self`
/// @param place where blocks run: sums are rounded otherwise on a device
PlannedUnits plan_units(const PipelineConfig& config, const RunPaths& paths,
                        const SourceIdentity& identity, const std::string& sequences_content,
                        const TorchPlace& place = {});

/// The original model as this run computes with it: its weights, threads and arithmetic mode. What
/// is sampled from it (always on the CPU) and measured on it depends on all three.
std::string original_fingerprint(const PipelineConfig& config, const SourceIdentity& identity,
                                 const TorchPlace& place = {});

/// A packed model outside a run, likewise. @param manifest_sha256 of its manifest.json
std::string packed_fingerprint(const PipelineConfig& config, const std::string& manifest_sha256,
                               const TorchPlace& place = {});

/// The unit that makes the windows of one perplexity.
/// @param paths of the folder to keep them in
/// @param content as above, of its source
Unit windows_unit(const PerplexityParams& params, const PipelineConfig& config,
                  const RunPaths& paths, const SourceIdentity& identity,
                  const std::string& content);

/// The codebook unit block `block` is encoded with; nullptr without codebook.
const Unit* codebook_unit(const PipelineConfig& config, const PlannedUnits& units, int block);

}  // namespace btc
