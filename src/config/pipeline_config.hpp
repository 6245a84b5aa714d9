#pragma once
/// Every setting of a run, checked. Only this module knows YAML.

#include <array>
#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "calibration/text_join.hpp"
#include "eval/add_bos.hpp"
#include "learn/params.hpp"
#include "quant/params.hpp"
#include "refine/params.hpp"

namespace btc {

enum class TokenSource { kIds, kText, kSelf };
inline constexpr std::array<std::string_view, 3> kTokenSourceNames = {"ids", "text", "self"};

enum class ResumeVerify { kSize, kFull };
inline constexpr std::array<std::string_view, 2> kResumeVerifyNames = {"size", "full"};

/// Key `run`.
struct RunParams {
  std::filesystem::path dir;  ///< required
  /// Where runs that differ only in how they quantize keep what they have in common; empty: nowhere
  std::filesystem::path shared;
  std::uint64_t seed = 42;
};

/// Key `calibration`.
struct CalibrationParams {
  TokenSource source = TokenSource::kSelf;
  std::filesystem::path path;  ///< for `ids` and `text`
  std::size_t samples = 128;   ///< sequences
  std::size_t window = 2048;   ///< tokens per sequence
  int sweeps = 1;  ///< later ones quantize anew, for inputs through the quantized model before
};

enum class BackendKind { kReference, kCpu, kCuda };
inline constexpr std::array<std::string_view, 3> kBackendKindNames = {"reference", "cpu", "cuda"};

/// Key `compute`.
struct ComputeParams {
  BackendKind backend = BackendKind::kCpu;
  int threads_per_rank = 1;
};

/// One entry of `evaluate.perplexity`.
struct PerplexityParams {
  std::string name;
  TokenSource source = TokenSource::kText;
  std::filesystem::path path;       ///< for `ids` and `text`
  TextJoin join = TextJoin::kAuto;  ///< `text` only: how its lines become one text
  std::size_t samples = 32;         ///< `self` only: sequences
  std::size_t window = 2048;
  std::optional<std::size_t> windows;  ///< at most this many; default all
};

/// Key `evaluate.zero_shot`.
struct ZeroShotParams {
  /// Names of tasks and of sets (`btc7`, `arb7`). Needed with `data`; with `requests` those of the
  /// file, by default all.
  std::vector<std::string> tasks;
  std::filesystem::path data;       ///< folder of the task files, or
  std::filesystem::path requests;   ///< a file that `btc prepare` made of them
  AddBos add_bos = AddBos::kAuto;   ///< with `data`: BOS in front of every request
  std::size_t limit = 0;            ///< with `data`: documents of each task, from the start; 0: all
  std::size_t batch_tokens = 4096;  ///< of one forward call
  std::size_t tokens_in_memory = 65536;  ///< hidden states kept while blocks stream by
};

enum class Subject { kOriginal, kPacked };
inline constexpr std::array<std::string_view, 2> kSubjectNames = {"original", "packed"};

/// Key `evaluate`.
struct EvaluateParams {
  std::vector<Subject> subjects = {Subject::kOriginal, Subject::kPacked};
  std::vector<PerplexityParams> perplexity;  ///< empty: nothing is evaluated
  std::size_t windows_in_memory = 256;       ///< hidden states kept while blocks stream by
  std::optional<ZeroShotParams> zero_shot;   ///< `zero_shot: none` in YAML is nullopt
};

/// Key `resume`.
struct ResumeParams {
  ResumeVerify verify = ResumeVerify::kSize;  ///< full: checksums of finished files at start
};

struct PipelineConfig {
  RunParams run;
  std::filesystem::path model_path;  ///< key `model.path`, required
  CalibrationParams calibration;
  ComputeParams compute;
  TransformParams transform;
  BinarizeParams binarize;
  std::optional<CodebookParams> codebook;  ///< `codebook: none` in YAML is nullopt
  RefineParams refine;
  EvaluateParams evaluate;
  ResumeParams resume;
};

/// Reads a file, applies `key.path=VALUE` overrides (VALUE is YAML), then puts the preset that
/// `preset: NAME` names under it all (@see preset.hpp). Relative paths stay as written: they are
/// relative to the working directory.
/// @throws ConfigError naming file, line, key and what is allowed: unknown or duplicate key, wrong
///         type, wrong enum value, missing key, value out of range
PipelineConfig load_config(const std::filesystem::path& file,
                           const std::vector<std::string>& overrides);
/// How one matrix is quantized.
struct QuantizationParams {
  BinarizeParams binarize;
  std::optional<CodebookParams> codebook;
};
/// The sections `binarize` and `codebook` of a preset (empty: none), changed by overrides.
/// @throws ConfigError as `load_config`
QuantizationParams load_quantization(const std::string& preset,
                                     const std::vector<std::string>& overrides);

/// Every key with its value, defaults included, as YAML that `load_config` reads back to the same.
std::string to_yaml(const PipelineConfig& config);
/// The same as flat `key.path` -> YAML text, for fingerprints and the manifest.
std::map<std::string, std::string> to_options(const PipelineConfig& config);

}  // namespace btc
