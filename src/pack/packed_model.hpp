#pragma once
/// The packed model directory: assembled from block files, read back as a ModelSource.

#include <array>
#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "model/checkpoint.hpp"
#include "model/model_source.hpp"
#include "pack/ledger.hpp"
#include "pack/packed_block.hpp"

namespace btc {

/// A finished file of the directory.
struct ModelFile {
  std::string name;
  std::uint64_t bytes = 0;
  std::string sha256;
  std::vector<LedgerLine> ledger;  ///< safetensors files only
};

/// `model-00018-of-00033.safetensors`; shard B (= blocks) holds embedding, norm, head, codebook.
std::string shard_name(int shard, int blocks);
/// Copies packed/block-*.safetensors byte for byte under its shard name, hashing as it copies.
/// @param expected_sha256 from the unit record. @throws FormatError if the bytes differ from it
ModelFile copy_block_shard(const std::filesystem::path& packed_block, int block, int blocks,
                           const std::filesystem::path& model_directory,
                           const std::string& expected_sha256);
/// Writes the last shard from the checkpoint, with the model-scope codebook if there is one.
ModelFile write_outer_shard(const Checkpoint& checkpoint, const std::optional<Codebook>& codebook,
                            const std::filesystem::path& model_directory);
/// Copies tokenizer files and generation_config.json, writes config.json (source +
/// quantization_config) and model.safetensors.index.json.
std::vector<ModelFile> write_model_metadata(const std::filesystem::path& source_directory,
                                            const std::filesystem::path& model_directory,
                                            const PackedFormat& format, const BitNumbers& bits,
                                            const std::vector<ModelFile>& shards);
/// Writes manifest.json, last: its presence means complete. `options`: resolved settings by key.
void write_manifest(const std::filesystem::path& model_directory,
                    const std::vector<ModelFile>& files, const BitNumbers& bits,
                    const std::string& source_fingerprint,
                    const std::map<std::string, std::string>& options);

/// What `btc inspect` prints: files, ledger and bits recomputed from the directory alone.
struct ModelReport {
  std::vector<ModelFile> files;
  std::vector<LedgerLine> ledger;
  BitNumbers bits;
};
/// Verifies sizes and SHA-256 of every file and that the ledger sums to each file.
/// @throws FormatError naming the first file that differs
ModelReport inspect_model(const std::filesystem::path& model_directory);

class PackedDirectory;

class PackedModel final : public ModelSource {
 public:
  /// @throws FormatError if the manifest is missing, a version unknown or a file damaged (sizes are
  ///         checked here, hashes by `inspect_model`)
  static std::unique_ptr<PackedModel> open(const std::filesystem::path& model_directory);
  ~PackedModel() override;
  [[nodiscard]] const ModelConfig& config() const override;
  [[nodiscard]] BlockWeights load_block(int block) const override;
  [[nodiscard]] Matrix<float> embed(std::span<const std::int32_t> ids) const override;
  [[nodiscard]] std::vector<float> final_norm() const override;
  [[nodiscard]] Matrix<float> head() const override;
  /// Norms and biases of a block; its Linears are left empty.
  [[nodiscard]] BlockWeights load_rest(int block) const;
  [[nodiscard]] const PackedDirectory& directory() const;

 private:
  struct State;
  explicit PackedModel(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

/// Element type of a dense export.
enum class ExportDType { kF32, kF16, kBf16 };
inline constexpr std::array<std::string_view, 3> kExportDTypeNames = {"fp32", "fp16", "bf16"};
/// Writes a dense Hugging Face directory without quantization_config: one shard per block. A
/// transform is folded into the Linears in fp64; every value of theirs is rounded once.
/// @throws FormatError for a damaged file, also one that only its SHA-256 shows; InputError if the
///         directory is not empty; NumericError for a value too large for the type
void export_dense(const std::filesystem::path& packed_directory,
                  const std::filesystem::path& out_directory, ExportDType dtype);

}  // namespace btc
