#include "pipeline/reduce.hpp"

#include <nlohmann/json.hpp>
#include <set>
#include <string_view>
#include <utility>

#include "comm/agree.hpp"
#include "common/error.hpp"
#include "common/hash.hpp"
#include "common/log.hpp"
#include "pack/manifest.hpp"
#include "pipeline/codebooks.hpp"
#include "pipeline/encode.hpp"

namespace btc {

using nlohmann::json;
namespace fs = std::filesystem;

namespace {

json to_json(const std::vector<LedgerLine>& lines) {
  json list = json::array();
  for (const LedgerLine& line : lines) {
    list.push_back({line.file, line.object, line.category, line.bytes});
  }
  return list;
}

std::vector<LedgerLine> ledger_from(const json& list) {
  std::vector<LedgerLine> lines;
  for (const json& line : list) {
    lines.push_back({line.at(0), line.at(1), line.at(2), line.at(3)});
  }
  return lines;
}

UnitResult describe_file(ModelFile file) {
  return {.bytes = file.bytes,
          .sha256 = std::move(file.sha256),
          .seconds = 0,
          .note = concat(file.bytes, " bytes"),
          .payload = to_json(file.ledger).dump()};
}

/// Settings that decide what is in the model: no paths, nothing about the machine.
std::map<std::string, std::string> model_options(const PipelineConfig& config) {
  constexpr std::array<std::string_view, 4> kKept = {"binarize.", "codebook", "calibration.",
                                                     "refine."};
  std::map<std::string, std::string> options;
  for (const auto& [name, value] : to_options(config)) {
    for (const std::string_view prefix : kKept) {
      if (name.starts_with(prefix) && name != "calibration.path") {
        options[name] = value;
      }
    }
  }
  return options;
}

/// Whether every file that the manifest lists is as the manifest says; contents are compared where
/// the store compares them. The units know only shards and manifest.
bool has_listed_files(const UnitStore& store, const fs::path& model) {
  try {
    for (const ModelFile& file : read_manifest(model).files) {
      check_size(model, file);
      if (store.verify() == ResumeVerify::kFull && sha256_file(model / file.name) != file.sha256) {
        return false;
      }
    }
  } catch (const Error&) {
    return false;
  }
  return true;
}

/// Collective.
bool is_complete(const StageRunner& runner, const PlannedUnits& units, const RunPaths& paths) {
  if (!runner.unfinished({units.model}).empty() || !runner.unfinished(units.shards).empty()) {
    return false;
  }
  const Communicator& comm = runner.comm();
  const bool complete = comm.rank() != 0 || has_listed_files(runner.store(), paths.model());
  return comm.all_reduce_max(complete ? 0 : 1) == 0;
}

/// The manifest of an older state must not vouch for new shards, and shards of a model with
/// another number of blocks must not lie beside them.
void withdraw_older_model(const Communicator& comm, const PlannedUnits& units,
                          const RunPaths& paths) {
  agree(comm, "removing the older model", [&] {
    if (comm.rank() != 0 || !fs::exists(paths.model())) {
      return;
    }
    fs::remove(paths.model() / kManifestName);
    std::set<fs::path> current;
    for (const Unit& unit : units.shards) {
      current.insert(unit.file.filename());
    }
    for (const auto& entry : fs::directory_iterator(paths.model())) {
      const std::string name = entry.path().filename().string();
      const bool shard = name.starts_with("model-") && name.ends_with(".safetensors");
      if (shard && !current.contains(name)) {
        fs::remove(entry.path());
      }
    }
  });
}

std::vector<ModelFile> finished_shards(const UnitStore& store, const std::vector<Unit>& units) {
  std::vector<ModelFile> shards;
  for (const Unit& unit : units) {
    const UnitResult result = store.at(unit);
    shards.push_back({unit.file.filename().string(), result.bytes, result.sha256,
                      ledger_from(json::parse(result.payload))});
  }
  return shards;
}

UnitResult write_shard(const UnitStore& store, const PlannedUnits& units, std::size_t shard,
                       const PipelineConfig& config, const RunPaths& paths,
                       const Checkpoint& checkpoint, const SourceIdentity& identity) {
  const int blocks = checkpoint.config().blocks;
  if (std::cmp_less(shard, blocks)) {
    const Unit& block = units.final_blocks().at(shard);
    const UnitResult finished = store.at(block);
    return store.read(block, [&] {
      return describe_file(copy_block_shard(block.file, static_cast<int>(shard), blocks,
                                            paths.model(), finished.sha256));
    });
  }
  IdentifiedModel(checkpoint, identity).check_outer();
  std::optional<Codebook> codebook;
  if (learns_codebook(config.codebook) && config.codebook->scope == CodebookScope::kModel) {
    const Unit& unit = units.codebook.at(0);
    codebook = store.read_hashed(unit, [&] { return read_codebooks(unit.file); }).at(0);
  }
  return describe_file(write_outer_shard(checkpoint, codebook, paths.model()));
}

}  // namespace

ReducedModel reduce_blocks(StageRunner& runner, const PlannedUnits& units,
                           const PipelineConfig& config, const RunPaths& paths,
                           const Checkpoint& checkpoint, const SourceIdentity& identity,
                           std::size_t& computed) {
  const Communicator& comm = runner.comm();
  const bool complete = is_complete(runner, units, paths);
  if (!complete) {
    withdraw_older_model(comm, units, paths);
    computed += runner.run(units.shards, [&](std::size_t shard) {
      return write_shard(runner.store(), units, shard, config, paths, checkpoint, identity);
    });
  }
  const ModelConfig& model = checkpoint.config();
  const PackedFormat format = packed_format(config);
  std::vector<ModelFile> files = finished_shards(runner.store(), units.shards);
  ReducedModel reduced;
  for (const ModelFile& file : files) {
    reduced.ledger.insert(reduced.ledger.end(), file.ledger.begin(), file.ledger.end());
  }
  reduced.bits = bit_numbers(reduced.ledger, nominal_bits(format), linear_weight_count(model),
                             parameter_count(model));
  if (complete) {
    return reduced;
  }
  agree(comm, "writing the model's metadata", [&] {
    if (comm.rank() != 0) {
      return;
    }
    for (ModelFile& file :
         write_model_metadata(config.model_path, paths.model(), format, reduced.bits, files)) {
      files.push_back(std::move(file));
    }
    write_manifest(paths.model(), files, reduced.bits, identity.whole(), model_options(config));
    runner.store().record(units.model, {.bytes = fs::file_size(units.model.file),
                                        .sha256 = sha256_file(units.model.file),
                                        .seconds = 0,
                                        .note = {},
                                        .payload = "null"});
  });
  ++computed;
  return reduced;
}

void check_packed_model(const UnitStore& store, const PlannedUnits& units, const RunPaths& paths) {
  store.read(units.model, [&] {
    try {
      inspect_model(paths.model());
    } catch (const FormatError& error) {
      for (const Unit& shard : units.shards) {
        if (sha256_file(shard.file) != store.at(shard).sha256) {
          store.record_failure(shard, error.what());
        }
      }
      throw;
    }
  });
}

}  // namespace btc
