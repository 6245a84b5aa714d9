#pragma once
/// Scores of requests to metrics of a task: pure functions, sums in fp64 and in document order.

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "eval/task_list.hpp"
#include "eval/task_requests.hpp"

namespace btc {

/// What one model scores in one task.
struct TaskResult {
  std::string task{};
  int version = 1;
  std::size_t documents = 0;
  std::size_t requests = 0;       ///< windows, with kind rolling
  std::size_t scored_tokens = 0;  ///< ids of all continuations
  bool add_bos = false;
  std::int64_t limit = 0;
  /// Names as in the harness's results with their values: `acc,none`, `acc_stderr,none`, ... A
  /// standard error that needs more documents is left out.
  std::vector<std::pair<std::string, double>> metrics{};
  /// Accuracy of the best constant answer; nullopt where there are no choices.
  std::optional<double> floor{};
  /// The main accuracy is not above the floor by more than its standard error.
  bool at_floor = false;
  std::vector<std::string> notes{};
};

/// A metric by the harness's name without filter: `acc`, `acc_stderr`.
std::optional<double> value_of(const TaskResult& result, std::string_view name);
/// `acc_norm` where the task has it, else `acc`; nullopt where it has neither.
std::optional<double> main_accuracy(const TaskResult& result);

/// 1 for each document that is right by `metric`, one of the accuracies, else 0. Among the choices
/// the first maximum wins; with kind likelihood a document is right if its continuation is greedy.
/// @pre one score per request
std::vector<std::uint8_t> right_documents(const TaskRequests& task,
                                          std::span<const RequestScore> scores, Metric metric);

/// All metrics of the task. @pre one score per request, at least one document
/// @throws NumericError for a log-likelihood that is NaN
TaskResult task_result(const TaskRequests& task, std::span<const RequestScore> scores);

/// Sample standard deviation over sqrt(n), the harness's; nullopt for fewer than two values.
std::optional<double> standard_error(std::span<const double> values);

/// Mean of a set's main accuracies.
struct SetAverage {
  double average = 0;
  double average_rounded = 0;  ///< of accuracies rounded to hundredths of a percent, rounded again
};
/// nullopt if a task of the set has no result.
std::optional<SetAverage> set_average(const TaskSet& set, std::span<const TaskResult> results);

}  // namespace btc
