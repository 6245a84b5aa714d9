#pragma once
/// Runs of btc_pipeline on toy models: configuration, start, and what is left on disk.

#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "support/process.hpp"
#include "support/scratch.hpp"
#include "support/toy_model.hpp"

namespace btc::test {

/// Settings as `key: value` in YAML, one section each; without `run` and `model`.
struct ToySettings {
  std::string calibration = "{source: ids, path: CALIBRATION, samples: 8, window: 32}";
  std::string compute = "{backend: cpu, threads_per_rank: 1}";
  std::string binarize =
      "{method: arb, iterations: 15, split_points: 2, split_rule: magnitude, salient: search, "
      "scales: panel, compensation: sequential}";
  std::string codebook =
      "{vector_length: 16, target_bits: 0.5, scope: model, assignment: weighted, encode: in_loop}";
  std::string transform = "{}";
  std::string refine = "{}";
  std::string evaluate = "{perplexity: []}";
};

/// A toy model with its token files and a place for its runs, in a scratch directory.
class ToyBench {
 public:
  /// @param name of the scratch directory
  ToyBench(const std::string& name, const ToyModel& toy);

  [[nodiscard]] const std::filesystem::path& root() const { return scratch_.path(); }
  [[nodiscard]] std::filesystem::path model() const { return root() / "original"; }
  [[nodiscard]] std::filesystem::path run_dir(const std::string& run) const {
    return root() / "runs" / run;
  }
  [[nodiscard]] std::filesystem::path config(const std::string& run) const {
    return root() / (run + ".yaml");
  }
  /// 8 sequences of 32 ids; a text of 200 ids.
  [[nodiscard]] std::filesystem::path calibration() const { return root() / "calibration.h5"; }
  [[nodiscard]] std::filesystem::path text() const { return root() / "text.h5"; }

  /// Writes the configuration of a run, CALIBRATION and TEXT replaced by the paths of the files.
  void configure(const std::string& run, const ToySettings& settings) const;
  /// mpirun, program, `--config` and further arguments.
  [[nodiscard]] std::vector<std::string> command(
      const std::string& run, int ranks, const std::vector<std::string>& arguments = {}) const;
  /// Runs to the end.
  [[nodiscard]] ProcessResult start(const std::string& run, int ranks,
                                    const std::vector<std::string>& arguments = {}) const;

 private:
  Scratch scratch_;
};

/// Path of a program of this build: `btc_pipeline` or `btc`.
std::string program(const std::string& name);

/// SHA-256 of every file below a directory, by relative path.
std::map<std::string, std::string> hashes_below(const std::filesystem::path& directory);
/// Modification times of every file below a directory in nanoseconds, by relative path.
std::map<std::string, std::int64_t> times_below(const std::filesystem::path& directory);

}  // namespace btc::test
