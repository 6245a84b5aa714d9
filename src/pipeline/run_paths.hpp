#pragma once
/// Where the files of a run are. @see docs/file_formats.md, "Run directory"

#include <filesystem>
#include <string>

#include "common/ids.hpp"

namespace btc {

/// Paths below `run.dir`.
struct RunPaths {
  std::filesystem::path root;

  /// Those of sweep `number`: the first one's are the run's own.
  [[nodiscard]] RunPaths sweep(int number) const {
    return number == 1 ? *this : RunPaths{root / ("sweep-" + std::to_string(number))};
  }

  [[nodiscard]] std::filesystem::path sequences() const { return root / "calibration.h5"; }
  [[nodiscard]] std::filesystem::path windows(const std::string& name) const {
    return root / "evaluation" / (name + ".h5");
  }
  /// @param name tells requests of other tasks or tokenizers apart
  [[nodiscard]] std::filesystem::path requests(const std::string& name) const {
    return root / "evaluation" / ("requests-" + name + ".h5");
  }
  [[nodiscard]] std::filesystem::path activations(int block) const {
    return root / "activations" / (block_stem(block) + ".h5");
  }
  [[nodiscard]] std::filesystem::path fisher() const { return root / "fisher.h5"; }
  [[nodiscard]] std::filesystem::path transform(int block) const {
    return root / "transforms" / (block_stem(block) + ".h5");
  }
  [[nodiscard]] std::filesystem::path binarized(int block) const {
    return root / "binarized" / (block_stem(block) + ".h5");
  }
  [[nodiscard]] std::filesystem::path codebooks(int block) const {
    return root / "codebooks" / (block_stem(block) + ".h5");
  }
  [[nodiscard]] std::filesystem::path model_codebook() const {
    return root / "codebooks" / "model.h5";
  }
  [[nodiscard]] std::filesystem::path packed(int block) const {
    return root / "packed" / (block_stem(block) + ".safetensors");
  }
  [[nodiscard]] std::filesystem::path refined(int block) const {
    return root / "refined" / (block_stem(block) + ".safetensors");
  }
  [[nodiscard]] std::filesystem::path distilled(const std::string& file) const {
    return root / "distilled" / file;
  }
  [[nodiscard]] std::filesystem::path model() const { return root / "model"; }
  [[nodiscard]] std::filesystem::path state() const { return root / "state"; }
  [[nodiscard]] std::filesystem::path lock() const { return state() / "lock"; }
  [[nodiscard]] std::filesystem::path stop_file() const { return root / "STOP"; }
  [[nodiscard]] std::filesystem::path log(int rank) const {
    return root / "logs" / ("rank_" + std::to_string(rank) + ".log");
  }
};

}  // namespace btc
