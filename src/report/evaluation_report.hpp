#pragma once
/// What `btc evaluate` says about one model.

#include <string>
#include <vector>

#include "report/perplexity_report.hpp"
#include "report/zero_shot_report.hpp"

namespace btc {

struct EvaluationReport {
  std::string model;        ///< path of the directory
  std::string kind;         ///< `original` or `packed`
  std::string fingerprint;  ///< of weights, threads and arithmetic mode
  std::vector<PerplexityResult> perplexity;
  ZeroShotReport zero_shot;
  std::string git_hash;
  int ranks = 1;
  int threads_per_rank = 1;
  double seconds = 0;
};

/// The keys of lm-eval's results, and everything else under `btc`.
std::string evaluation_json(const EvaluationReport& report);
/// For people.
std::string evaluation_table(const EvaluationReport& report);

}  // namespace btc
