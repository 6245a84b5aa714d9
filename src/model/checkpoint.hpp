#pragma once
/// An original Hugging Face checkpoint: one or more safetensors files, memory-mapped.

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "io/safetensors.hpp"
#include "model/model_source.hpp"

namespace btc {

class Checkpoint final : public ModelSource {
 public:
  /// Opens the headers of all shards and checks every tensor the configuration asks for.
  /// @throws InputError listing all problems: only .bin files, missing or damaged shard, missing
  ///         or misshapen tensor, unreadable dtype
  static std::unique_ptr<Checkpoint> open(const std::filesystem::path& directory);

  [[nodiscard]] const ModelConfig& config() const override { return config_; }
  /// @throws NumericError naming tensor and block if a weight is not finite
  [[nodiscard]] BlockWeights load_block(int block) const override;
  [[nodiscard]] Matrix<float> embed(std::span<const std::int32_t> ids) const override;
  [[nodiscard]] std::vector<float> final_norm() const override;
  [[nodiscard]] Matrix<float> head() const override;

  /// The stored tensor. @throws FormatError if absent
  [[nodiscard]] const TensorView& tensor(const std::string& name) const;
  /// XXH3-128 over one line (name, dtype, shape, XXH3-128 of the bytes) per tensor of a block,
  /// sorted by name; -1: the tensors outside the blocks. Reads them.
  /// @throws FormatError if a file is shorter than when it was opened
  [[nodiscard]] std::string fingerprint(int block) const;
  /// The weight files, ascending by name.
  [[nodiscard]] std::vector<std::filesystem::path> files() const;

 private:
  Checkpoint(ModelConfig config, std::vector<SafetensorsFile> shards);
  /// Whether a Linear is stored as latent weights with `wscale` and `wbias` per input column
  /// (FBI-LLM): its weight is then wscale[j] * sign(latent) + wbias[j], sign(0) = +1.
  [[nodiscard]] bool is_binary(const std::string& linear) const;
  /// Turns latent weights into the weights that they stand for.
  void apply_signs(const std::string& linear, int block, Matrix<float>& weight) const;
  /// A whole tensor as fp32, checked to be finite; `block` (-1: none) is for the message.
  [[nodiscard]] std::vector<float> values(const std::string& name, int block) const;

  ModelConfig config_;
  std::vector<SafetensorsFile> shards_;
};

}  // namespace btc
