#pragma once
/// A packed model directory, opened and checked: what reading, inspecting and exporting share.

#include <filesystem>
#include <string>
#include <vector>

#include "model/model_config.hpp"
#include "pack/manifest.hpp"
#include "pack/packed_config.hpp"

namespace btc {

class PackedDirectory {
 public:
  /// Checks sizes, versions, that every tensor of the format and no other is there, and the types
  /// and shapes of those that are as in the source.
  /// @throws FormatError
  explicit PackedDirectory(std::filesystem::path path);

  [[nodiscard]] const std::filesystem::path& path() const { return path_; }
  [[nodiscard]] const Manifest& manifest() const { return manifest_; }
  [[nodiscard]] const PackedConfig& packed_config() const { return packed_config_; }
  [[nodiscard]] const ModelConfig& config() const { return config_; }
  /// Shard of a block; at index `config().blocks`, the outer one.
  [[nodiscard]] const std::vector<SafetensorsFile>& shards() const { return shards_; }
  /// Shape as the configuration says. @throws FormatError as `read_packed_linear`
  [[nodiscard]] QuantizedLinear linear(int block, LinearKind kind) const;
  /// What the indices of a Linear point into, as `read_linear_codewords`.
  [[nodiscard]] std::vector<std::vector<Pattern>> codewords(int block, LinearKind kind) const;
  /// The factors in front of the Linears of a block. @throws FormatError as `read_packed_transform`
  [[nodiscard]] OnlineFactors transform(int block) const;
  /// Dense weights for the input as the block makes it: those of the Linear with the factors of a
  /// transform folded in.
  [[nodiscard]] Matrix<float> dense(int block, LinearKind kind) const;
  /// The same before it is rounded to fp32: calls `use` with the number of every row and its
  /// values.
  void dense_rows(int block, LinearKind kind,
                  const std::function<void(std::size_t, std::span<const double>)>& use) const;

 private:
  void open_shards();
  /// Of the input of a Linear; empty without a transform.
  [[nodiscard]] KroneckerFactors factors(int block, LinearKind kind) const;

  std::filesystem::path path_;
  Manifest manifest_;
  PackedConfig packed_config_;
  ModelConfig config_;
  std::vector<SafetensorsFile> shards_;
  std::vector<Pattern> model_codewords_;  ///< scope model
};

/// Whether a directory holds a packed model: it has a manifest.
bool is_packed(const std::filesystem::path& model_directory);
/// The architecture of an original model, or of the one that a packed model was made from.
/// @throws InputError, FormatError as `load_model_config` and `read_packed_config`
ModelConfig load_source_config(const std::filesystem::path& model_directory);

/// Tensors of a block that are stored as in the source: norms and biases.
std::vector<ExpectedTensor> copied_tensors_of(const ModelConfig& config, int block);

}  // namespace btc
