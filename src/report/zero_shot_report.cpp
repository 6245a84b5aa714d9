#include "report/zero_shot_report.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "report/aligned_table.hpp"

namespace btc {

namespace {

constexpr std::string_view kFilter = ",none";  // the harness's name for "as the model said it"
constexpr std::string_view kStderr = "_stderr";

std::string_view without_filter(std::string_view name) {
  return name.ends_with(kFilter) ? name.substr(0, name.size() - kFilter.size()) : name;
}

/// Accuracies are fractions, shown per cent; perplexities and bits are what they are.
bool is_fraction(std::string_view metric) { return metric.starts_with("acc"); }

std::string shown(std::string_view metric, double value) {
  return is_fraction(metric) ? fmt::format("{:.2f}", 100 * value) : fmt::format("{:.4f}", value);
}

void add_rows(const TaskScore& score, std::vector<std::vector<std::string>>& rows) {
  for (const auto& [full_name, value] : score.metrics) {
    const std::string name(without_filter(full_name));
    if (name.ends_with(kStderr)) {
      continue;
    }
    const auto error = score.value(name + std::string(kStderr));
    const bool floored = score.floor && (name == "acc" || name == "acc_norm");
    rows.push_back(
        {score.task, score.subject, name, shown(name, value), error ? shown(name, *error) : "",
         floored ? fmt::format("{:.2f}", 100 * *score.floor) : "", grouped(score.documents),
         grouped(score.requests), grouped(score.scored_tokens), score.add_bos ? "yes" : "no",
         score.limit == 0 ? "" : fmt::format("first {}", score.limit)});
  }
}

/// Each note once, with its tasks' names in it.
std::vector<std::string> remarks(const ZeroShotReport& report) {
  std::vector<std::string> all;
  const auto add = [&](std::string text) {
    if (std::ranges::find(all, text) == all.end()) {
      all.push_back(std::move(text));
    }
  };
  for (const TaskScore& score : report.scores) {
    if (score.at_floor) {
      add(fmt::format("{}, {}: no better than the best constant answer, within its standard error",
                      score.task, score.subject));
    }
    for (const std::string& note : score.notes) {
      add(note);
    }
  }
  return all;
}

std::string differences_part(const ZeroShotReport& report) {
  if (report.differences.empty()) {
    return {};
  }
  std::vector<std::vector<std::string>> rows = {
      {"task", "metric", "won", "lost", "both", "neither", "difference", "+-"}};
  for (const TaskDifference& d : report.differences) {
    rows.push_back({d.task, d.metric, grouped(d.won), grouped(d.lost), grouped(d.both),
                    grouped(d.neither), fmt::format("{:+.2f}", 100 * d.difference),
                    d.standard_error ? fmt::format("{:.2f}", 100 * *d.standard_error) : ""});
  }
  return "Packed against original, document by document\n" + aligned(rows);
}

std::string averages_part(const ZeroShotReport& report) {
  if (report.averages.empty()) {
    return {};
  }
  std::vector<std::vector<std::string>> rows = {{"set", "subject", "average", "of rounded"}};
  for (const TaskAverage& a : report.averages) {
    rows.push_back({a.set, a.subject, fmt::format("{:.4f}", 100 * a.average),
                    fmt::format("{:.2f}", 100 * a.average_rounded)});
  }
  return "Averages of acc_norm where a task has it, else acc\n" + aligned(rows);
}

}  // namespace

std::optional<double> TaskScore::value(std::string_view metric) const {
  const auto found = std::ranges::find_if(
      metrics, [&](const auto& entry) { return without_filter(entry.first) == metric; });
  return found == metrics.end() ? std::nullopt : std::optional<double>(found->second);
}

std::string zero_shot_table(const ZeroShotReport& report) {
  if (report.empty()) {
    return {};
  }
  std::vector<std::vector<std::string>> rows = {{"task", "subject", "metric", "value", "+-",
                                                 "floor", "documents", "requests", "scored ids",
                                                 "BOS", ""}};
  for (const TaskScore& score : report.scores) {
    add_rows(score, rows);
  }
  std::string text = "Zero-shot, accuracies and floors in per cent\n" + aligned(rows);
  for (const std::string& remark : remarks(report)) {
    text += "  note: " + remark + "\n";
  }
  return text + differences_part(report) + averages_part(report);
}

}  // namespace btc
