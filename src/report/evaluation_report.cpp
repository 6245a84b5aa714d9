#include "report/evaluation_report.hpp"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "report/measurement_json.hpp"

namespace btc {

std::string evaluation_json(const EvaluationReport& report) {
  using Json = nlohmann::ordered_json;
  Json root = Json::object();
  add_harness_keys(report.zero_shot, root);
  root["btc"] = {{"model", report.model},
                 {"kind", report.kind},
                 {"fingerprint", report.fingerprint},
                 {"git", report.git_hash},
                 {"perplexity", perplexity_json(report.perplexity)},
                 {"zero_shot", zero_shot_json(report.zero_shot)},
                 {"ranks", report.ranks},
                 {"threads_per_rank", report.threads_per_rank},
                 {"seconds", report.seconds}};
  return root.dump(2) + "\n";
}

std::string evaluation_table(const EvaluationReport& report) {
  std::string text = fmt::format("Model {} ({})\n", report.model, report.kind);
  if (!report.perplexity.empty()) {
    text += perplexity_table(report.perplexity);
  }
  return text + zero_shot_table(report.zero_shot) +
         fmt::format("{:.1f} s on {} ranks with {} threads each\n", report.seconds, report.ranks,
                     report.threads_per_rank);
}

}  // namespace btc
