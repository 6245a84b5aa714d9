#pragma once
/// Measurements of models in JSON. Private to this module.

#include <nlohmann/json_fwd.hpp>

#include <vector>

#include "report/perplexity_report.hpp"
#include "report/zero_shot_report.hpp"

namespace btc {

/// `[{subject, name, protocol, window, stride, windows, tokens, add_bos, value}]`.
nlohmann::ordered_json perplexity_json(const std::vector<PerplexityResult>& results);

/// Everything: `{scores: [..], differences: [..], averages: [..]}`.
nlohmann::ordered_json zero_shot_json(const ZeroShotReport& report);
/// What `zero_shot_json` made. @throws nlohmann::json::exception if it is something else
ZeroShotReport zero_shot_from(const nlohmann::ordered_json& json);
/// Adds what lm-eval's results hold under its keys (`results`, `n-samples`, `n-shot`, `versions`):
/// of the packed model where it was measured, else of the original. Nothing for an empty report.
void add_harness_keys(const ZeroShotReport& report, nlohmann::ordered_json& root);

}  // namespace btc
