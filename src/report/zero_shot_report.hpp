#pragma once
/// Scores of zero-shot tasks as a report holds them, and their table.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace btc {

/// What one model scores in one task.
struct TaskScore {
  std::string subject{};  ///< `original` or `packed`
  std::string task{};
  int version = 1;  ///< of the harness's task with the same prompts
  std::uint64_t documents = 0;
  std::uint64_t requests = 0;
  std::uint64_t scored_tokens = 0;  ///< ids of all continuations
  bool add_bos = false;
  std::uint64_t limit = 0;       ///< documents asked for; 0: all
  std::uint64_t max_length = 0;  ///< longest input in ids
  /// By the harness's names, fractions and not per cent: `acc,none`, `acc_stderr,none`, ... A
  /// standard error that needs more documents is left out.
  std::vector<std::pair<std::string, double>> metrics{};
  std::optional<double> floor{};  ///< accuracy of the best constant answer
  bool at_floor = false;          ///< within one standard error of it, or below
  std::vector<std::string> notes{};

  /// Of a metric by its name without filter: `acc_norm`, `acc_norm_stderr`.
  [[nodiscard]] std::optional<double> value(std::string_view metric) const;
};

/// The packed model against the original, document by document, by the main accuracy of the task.
struct TaskDifference {
  std::string task;
  std::string metric;
  std::uint64_t both = 0;  ///< documents that both get right
  std::uint64_t won = 0;   ///< only the packed model
  std::uint64_t lost = 0;  ///< only the original
  std::uint64_t neither = 0;
  double difference = 0;                 ///< accuracy of the packed model minus the original's
  std::optional<double> standard_error;  ///< of the difference
};

/// Mean of a set of tasks: `acc_norm` where a task has it, else `acc`.
struct TaskAverage {
  std::string subject;
  std::string set;  ///< `btc7`, `arb7`
  double average = 0;
  double average_rounded = 0;  ///< of accuracies rounded to hundredths of a percent, as papers do
};

struct ZeroShotReport {
  std::vector<TaskScore> scores;
  std::vector<TaskDifference> differences;
  std::vector<TaskAverage> averages;
  [[nodiscard]] bool empty() const { return scores.empty(); }
};

/// For people: a row for each metric with its standard error, the floor, what was won and lost, the
/// averages, and how it was measured. Empty for an empty report.
std::string zero_shot_table(const ZeroShotReport& report);

}  // namespace btc
