#pragma once
/// Fingerprints of the original checkpoint, so that a changed or damaged weight file is noticed.

#include <filesystem>
#include <string>
#include <vector>

#include "comm/communicator.hpp"
#include "model/checkpoint.hpp"

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

/// `checkpoint.load_block`, after checking that its bytes are still those identified.
/// @throws FormatError naming the block otherwise
BlockWeights load_identified_block(const Checkpoint& checkpoint, int block,
                                   const SourceIdentity& identity);

}  // namespace btc
