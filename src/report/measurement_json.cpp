#include "report/measurement_json.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>

namespace btc {

namespace {

using Json = nlohmann::ordered_json;

Json optional_number(const std::optional<double>& value) { return value ? Json(*value) : Json(); }

std::optional<double> optional_from(const Json& json) {
  return json.is_null() ? std::nullopt : std::optional<double>(json.get<double>());
}

Json metrics_json(const TaskScore& score) {
  Json metrics = Json::object();
  for (const auto& [name, value] : score.metrics) {
    metrics[name] = value;
  }
  return metrics;
}

Json score_json(const TaskScore& score) {
  return {{"subject", score.subject},
          {"task", score.task},
          {"version", score.version},
          {"documents", score.documents},
          {"requests", score.requests},
          {"scored_tokens", score.scored_tokens},
          {"add_bos", score.add_bos},
          {"limit", score.limit},
          {"max_length", score.max_length},
          {"metrics", metrics_json(score)},
          {"floor", optional_number(score.floor)},
          {"at_floor", score.at_floor},
          {"notes", score.notes}};
}

TaskScore score_from(const Json& json) {
  TaskScore score = {.subject = json.at("subject"),
                     .task = json.at("task"),
                     .version = json.at("version"),
                     .documents = json.at("documents"),
                     .requests = json.at("requests"),
                     .scored_tokens = json.at("scored_tokens"),
                     .add_bos = json.at("add_bos"),
                     .limit = json.at("limit"),
                     .max_length = json.at("max_length"),
                     .metrics = {},
                     .floor = optional_from(json.at("floor")),
                     .at_floor = json.at("at_floor"),
                     .notes = json.at("notes")};
  for (const auto& [name, value] : json.at("metrics").items()) {
    score.metrics.emplace_back(name, value.get<double>());
  }
  return score;
}

}  // namespace

Json perplexity_json(const std::vector<PerplexityResult>& results) {
  Json perplexity = Json::array();
  for (const PerplexityResult& r : results) {
    perplexity.push_back({{"subject", r.subject},
                          {"name", r.name},
                          {"protocol", r.protocol},
                          {"window", r.window},
                          {"stride", r.window},  // windows do not overlap
                          {"windows", r.windows},
                          {"tokens", r.tokens},
                          {"add_bos", r.add_bos},
                          {"value", r.value}});
  }
  return perplexity;
}

Json zero_shot_json(const ZeroShotReport& report) {
  Json scores = Json::array();
  for (const TaskScore& score : report.scores) {
    scores.push_back(score_json(score));
  }
  Json differences = Json::array();
  for (const TaskDifference& d : report.differences) {
    differences.push_back({{"task", d.task},
                           {"metric", d.metric},
                           {"both", d.both},
                           {"won", d.won},
                           {"lost", d.lost},
                           {"neither", d.neither},
                           {"difference", d.difference},
                           {"standard_error", optional_number(d.standard_error)}});
  }
  Json averages = Json::array();
  for (const TaskAverage& a : report.averages) {
    averages.push_back({{"subject", a.subject},
                        {"set", a.set},
                        {"average", a.average},
                        {"average_rounded", a.average_rounded}});
  }
  return {{"scores", scores}, {"differences", differences}, {"averages", averages}};
}

ZeroShotReport zero_shot_from(const Json& json) {
  ZeroShotReport report;
  for (const Json& score : json.at("scores")) {
    report.scores.push_back(score_from(score));
  }
  for (const Json& d : json.at("differences")) {
    report.differences.push_back({d.at("task"), d.at("metric"), d.at("both"), d.at("won"),
                                  d.at("lost"), d.at("neither"), d.at("difference"),
                                  optional_from(d.at("standard_error"))});
  }
  for (const Json& a : json.at("averages")) {
    report.averages.push_back(
        {a.at("subject"), a.at("set"), a.at("average"), a.at("average_rounded")});
  }
  return report;
}

void add_harness_keys(const ZeroShotReport& report, Json& root) {
  if (report.empty()) {
    return;
  }
  const bool packed = std::ranges::any_of(
      report.scores, [](const TaskScore& score) { return score.subject == "packed"; });
  for (const TaskScore& score : report.scores) {
    if (packed != (score.subject == "packed")) {
      continue;
    }
    Json& result = root["results"][score.task];
    result = metrics_json(score);
    result["alias"] = score.task;
    root["n-samples"][score.task] = {{"effective", score.documents}};
    root["n-shot"][score.task] = 0;
    root["versions"][score.task] = score.version;
  }
}

}  // namespace btc
