#include <algorithm>

#include "io/atomic_file.hpp"
#include "pack/model_directory.hpp"
#include "pack/packed_directory.hpp"
#include "pack/packed_model.hpp"

namespace btc {
namespace {

namespace fs = std::filesystem;

std::string text_of(const LedgerLine& line) {
  return concat(line.file, ", ", line.object, ", ", line.category, ": ", line.bytes, " bytes");
}

void check_ledger(const std::vector<LedgerLine>& found, const std::vector<LedgerLine>& promised) {
  for (std::size_t i = 0; i < std::min(found.size(), promised.size()); ++i) {
    BTC_REQUIRE(FormatError, found[i] == promised[i], kManifestName, ": ledger line ", i, " is ",
                text_of(promised[i]), ", expected ", text_of(found[i]));
  }
  BTC_REQUIRE(FormatError, found.size() == promised.size(), kManifestName, ": ", promised.size(),
              " ledger lines, expected ", found.size());
}

void check_bits(const BitNumbers& found, const BitNumbers& promised) {
  BTC_REQUIRE(FormatError, found == promised, "config.json: bits ", promised.nominal, " ",
              promised.sign, " ", promised.stored, " ", promised.model, ", expected ",
              found.nominal, " ", found.sign, " ", found.stored, " ", found.model);
}

}  // namespace

ModelReport inspect_model(const fs::path& model_directory) {
  ModelReport report;
  const Manifest manifest = read_manifest(model_directory);
  check_files(model_directory, manifest);
  report.files = manifest.files;
  const PackedDirectory directory(model_directory);
  std::vector<std::string> names;
  for (const SafetensorsFile& shard : directory.shards()) {
    names.push_back(shard.path().filename().string());
    const auto file = std::find_if(report.files.begin(), report.files.end(),
                                   [&](const ModelFile& f) { return f.name == names.back(); });
    file->ledger = ledger_of(shard);
    report.ledger.insert(report.ledger.end(), file->ledger.begin(), file->ledger.end());
  }
  check_ledger(report.ledger, directory.manifest().ledger);
  BTC_REQUIRE(FormatError,
              read_text_file(model_directory / kIndexName) == index_text_of(model_directory, names),
              kIndexName, ": does not describe the tensors of the safetensors files");
  const ModelConfig& config = directory.config();
  report.bits = bit_numbers(report.ledger, nominal_bits(directory.packed_config().format),
                            linear_weight_count(config), parameter_count(config));
  check_bits(report.bits, directory.packed_config().bits);
  return report;
}

}  // namespace btc
