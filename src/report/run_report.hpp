#pragma once
/// What a run says about itself when it is done: one plain struct and its three forms. Only text is
/// made here; the caller writes it.

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "report/perplexity_report.hpp"
#include "report/zero_shot_report.hpp"

namespace btc {

/// Bytes of the model directory by category, in ledger order; they sum to `total_bytes`.
struct CategoryBytes {
  std::string category;
  std::uint64_t bytes = 0;
};

struct RunReport {
  std::string run_id;       ///< name of the run directory
  std::string created_utc;  ///< ISO 8601, seconds
  std::string git_hash;
  bool git_dirty = false;
  std::string config_sha256;  ///< of config.resolved.yaml
  std::string model;          ///< path of the source model
  std::uint64_t linear_weights = 0;
  std::uint64_t parameters = 0;
  double nominal_bits = 0;  ///< the four numbers of docs/file_formats.md, never printed apart
  double sign_bits = 0;
  double stored_bits = 0;
  double model_bits = 0;
  double salient_fraction = 0;  ///< salient columns / columns, over all Linears
  std::vector<CategoryBytes> ledger;
  std::uint64_t total_bytes = 0;
  std::vector<PerplexityResult> perplexity;
  ZeroShotReport zero_shot;
  std::vector<std::pair<std::string, double>> seconds;  ///< (stage, wall seconds) in run order
  std::vector<std::uint64_t> peak_rss_bytes;            ///< of each rank; its size is `ranks`
  int threads_per_rank = 1;
  std::string backend;
  std::string device;  ///< model name of the processor
};

/// A model too small to say much about large ones; its figures are marked and kept apart.
bool is_toy(const RunReport& report);

/// `results.json`: everything above under the key `btc`; beside it, where tasks were scored, the
/// keys of lm-eval's results.
std::string results_json(const RunReport& report);
/// The report that `results_json` wrote. @param origin file name for messages
/// @throws FormatError if it is no such text, or of another version
RunReport parse_results(const std::string& text, const std::string& origin);
/// A field of a CSV file, quoted only when needed (RFC 4180).
std::string csv_field(const std::string& text);
/// `results.csv`: the fixed header, then one row for each perplexity and for each score of a task,
/// or one row for the packed model when nothing was measured. Columns that say nothing about a row
/// are empty.
std::string results_csv(const RunReport& report);
/// The closing table for people.
std::string results_table(const RunReport& report);

}  // namespace btc
