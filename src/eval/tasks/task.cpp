#include "eval/tasks/task.hpp"

#include <algorithm>
#include <array>

#include "common/error.hpp"
#include "common/white_space.hpp"

namespace btc {

namespace {

constexpr std::array<std::string_view, 3> kKindNames = {"choices", "likelihood", "rolling"};
constexpr std::array<std::string_view, 7> kMetricNames = {
    "acc",           "acc_norm", "acc_bytes", "perplexity", "word_perplexity", "byte_perplexity",
    "bits_per_byte",
};

template <typename Enum, std::size_t N>
Enum enum_of(const std::array<std::string_view, N>& names, std::string_view name,
             std::string_view what, std::string_view origin) {
  const auto found = std::find(names.begin(), names.end(), name);
  if (found == names.end()) {
    std::string allowed;
    for (const std::string_view other : names) {
      allowed += allowed.empty() ? "" : ", ";
      allowed += other;
    }
    BTC_THROW(FormatError, origin, ": ", what, " '", name, "', expected one of ", allowed);
  }
  return static_cast<Enum>(found - names.begin());
}

}  // namespace

std::string_view name_of(TaskKind kind) { return kKindNames.at(static_cast<std::size_t>(kind)); }

TaskKind task_kind(std::string_view name, std::string_view origin) {
  return enum_of<TaskKind>(kKindNames, name, "kind", origin);
}

std::string_view name_of(Metric metric) {
  return kMetricNames.at(static_cast<std::size_t>(metric));
}

Metric metric(std::string_view name, std::string_view origin) {
  return enum_of<Metric>(kMetricNames, name, "metric", origin);
}

bool applies(Metric metric, TaskKind kind) {
  switch (metric) {
    case Metric::kAcc:
      return kind != TaskKind::kRolling;
    case Metric::kAccNorm:
    case Metric::kAccBytes:
      return kind == TaskKind::kChoices;
    case Metric::kPerplexity:
      return kind == TaskKind::kLikelihood;
    default:
      return kind == TaskKind::kRolling;
  }
}

Document choices_document(std::string_view context, const std::vector<std::string>& choices,
                          std::int32_t gold) {
  Document document;
  for (const std::string& choice : choices) {
    document.requests.push_back({std::string(context), " " + choice});
  }
  document.gold = gold;
  return document;
}

std::int32_t keyed_choices(const JsonRow& row, std::vector<std::string>& choices) {
  const JsonRow object = row.object("choices");
  choices = object.texts("text", 2);
  const std::vector<std::string> labels = object.labels("label");
  if (labels.size() != choices.size()) {
    object.refuse("label", concat(choices.size(), " labels, one for each text"));
  }
  const std::string key = row.label("answerKey");
  const auto found = std::find(labels.begin(), labels.end(), strip(key));
  if (found == labels.end()) {
    row.refuse("answerKey", "one of the labels of the choices");
  }
  return static_cast<std::int32_t>(found - labels.begin());
}

}  // namespace btc
