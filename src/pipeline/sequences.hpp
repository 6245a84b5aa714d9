#pragma once
/// Where token sequences come from: a prepared file, a text, or the original model itself.

#include <cstdint>
#include <filesystem>
#include <string>

#include "comm/communicator.hpp"
#include "common/matrix.hpp"
#include "config/pipeline_config.hpp"
#include "model/model_source.hpp"

namespace btc {

/// Sequences [samples, window] sampled from `model` at temperature 1. Collective: batches of fixed
/// size are dealt over the ranks, so that the ids do not depend on their number.
/// @param purpose part of every seed: equal purposes give equal sequences
Matrix<std::int32_t> sample_from_model(const ModelSource& model, const Communicator& comm,
                                       std::size_t samples, std::size_t window, std::uint64_t seed,
                                       const std::string& purpose);

/// What the sequences of `ids` and `text` are made of, for the fingerprint: hashes of the file and
/// of the tokenizer; empty for `self`. @throws InputError if one cannot be used
std::string source_content(TokenSource source, const std::filesystem::path& path,
                           const std::filesystem::path& model_path);

/// The calibration sequences [samples, window] of sources `ids` and `text`.
/// @throws InputError if the source has too few tokens or another window
Matrix<std::int32_t> read_calibration(const PipelineConfig& config, std::size_t vocab_size);

/// @throws ConfigError if a window has more positions than the model
void check_window(const PerplexityParams& params, const ModelConfig& model);

/// The windows of one perplexity and how they were made.
struct EvaluationWindows {
  Matrix<std::int32_t> ids;  ///< [windows, window]
  /// `gptq` (one text, windows without overlap), `gptq-c4` (documents joined by a space) or
  /// `self-sampled`
  std::string protocol;
  std::uint64_t tokens = 0;  ///< of the whole text, before cutting
  bool add_bos = false;      ///< BOS once, at the very start (gptq) or in each window (sampled)
};

/// Collective: rank 0 reads and tokenizes.
EvaluationWindows read_evaluation(const PerplexityParams& params, const PipelineConfig& config,
                                  const ModelSource& original, const Communicator& comm);

}  // namespace btc
