#include <algorithm>
#include <iomanip>
#include <sstream>

#include "io/atomic_file.hpp"
#include "pack/linear_layout.hpp"
#include "pack/model_directory.hpp"
#include "pack/packed_config.hpp"
#include "pack/packed_model.hpp"
#include "pack/tensor_store.hpp"

namespace btc {

namespace fs = std::filesystem;

std::string shard_name(int shard, int blocks) {
  BTC_CHECK(shard >= 0 && shard <= blocks, "shard ", shard, " of ", blocks, " blocks");
  std::ostringstream name;
  name << "model-" << std::setfill('0') << std::setw(5) << shard + 1 << "-of-" << std::setw(5)
       << blocks + 1 << ".safetensors";
  return name.str();
}

ModelFile copy_block_shard(const fs::path& packed_block, int block, int blocks,
                           const fs::path& model_directory, const std::string& expected_sha256) {
  const fs::path target = model_directory / shard_name(block, blocks);
  ModelFile file = copy_file_hashed(packed_block, target, expected_sha256);
  const SafetensorsFile shard = SafetensorsFile::open(target);
  check_packed_metadata(shard, std::to_string(block));
  file.ledger = ledger_of(shard);
  return file;
}

ModelFile write_outer_shard(const Checkpoint& checkpoint, const std::optional<Codebook>& codebook,
                            const fs::path& model_directory) {
  const int blocks = checkpoint.config().blocks;
  TensorStore store;
  for (const ExpectedTensor& expected : outer_tensors(checkpoint.config())) {
    store.add_view(checkpoint.tensor(expected.name));
  }
  if (codebook) {
    store.add_codebooks(kModelCodebookPrefix, {&*codebook, 1});
  }
  const fs::path path = model_directory / shard_name(blocks, blocks);
  const WrittenFile written =
      write_safetensors(path, store.views(), packed_metadata("outer", checkpoint.fingerprint(-1)));
  return {path.filename().string(), written.bytes, written.sha256,
          ledger_of(SafetensorsFile::open(path))};
}

std::vector<ModelFile> write_model_metadata(const fs::path& source_directory,
                                            const fs::path& model_directory,
                                            const PackedFormat& format, const BitNumbers& bits,
                                            const std::vector<ModelFile>& shards) {
  const fs::path source_config = source_directory / "config.json";
  const std::string text = read_text_file(source_config);
  const bool tied_head = parse_model_config(text, source_config.string()).tied_head;
  std::vector<std::string> names;
  names.reserve(shards.size());
  for (const ModelFile& shard : shards) {
    names.push_back(shard.name);
  }
  std::vector<ModelFile> files = copy_companions(source_directory, model_directory);
  files.push_back(write_model_text(
      model_directory, "config.json",
      add_quantization_config(text, source_config.string(), format, bits, tied_head)));
  files.push_back(
      write_model_text(model_directory, kIndexName, index_text_of(model_directory, names)));
  return files;
}

}  // namespace btc
