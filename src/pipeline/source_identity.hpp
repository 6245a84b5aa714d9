#pragma once
/// Fingerprints of the original checkpoint, so that a changed or damaged weight file is noticed.

#include <cstdint>
#include <filesystem>
#include <mutex>
#include <span>
#include <string>
#include <vector>

#include "comm/communicator.hpp"
#include "model/checkpoint.hpp"
#include "model/model_source.hpp"

namespace btc {

/// XXH3-128 of every part of a checkpoint.
struct SourceIdentity {
  std::vector<std::string> blocks;  ///< by block
  std::string outer;                ///< embedding, final norm, head
  std::string config_sha256;        ///< of config.json
  /// Of the whole.
  [[nodiscard]] std::string whole() const;
};

/// Reads all weights, block b on rank b mod P; or takes the result from `cache` when the weight
/// files still have the sizes and modification times noted there. Collective.
/// @param trust_cache false: always read
SourceIdentity identify_source(const Checkpoint& checkpoint, const Communicator& comm,
                               const std::filesystem::path& cache, bool trust_cache);

/// The original model; what is read is compared with its identity before. Every function throws
/// FormatError, naming the block, if a weight file changed. Borrows both.
class IdentifiedModel final : public ModelSource {
 public:
  IdentifiedModel(const Checkpoint& checkpoint, const SourceIdentity& identity)
      : checkpoint_(checkpoint), identity_(identity) {}
  [[nodiscard]] const ModelConfig& config() const override { return checkpoint_.config(); }
  [[nodiscard]] BlockWeights load_block(int block) const override;
  [[nodiscard]] Matrix<float> embed(std::span<const std::int32_t> ids) const override;
  [[nodiscard]] std::vector<float> final_norm() const override;
  [[nodiscard]] Matrix<float> head() const override;
  /// Reads embedding, norm and head; later calls do nothing.
  void check_outer() const;

 private:
  const Checkpoint& checkpoint_;
  const SourceIdentity& identity_;
  mutable std::once_flag outer_checked_;
};

}  // namespace btc
