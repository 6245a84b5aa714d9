#pragma once
/// Scores of requests to metrics of a task: pure functions, sums in fp64 and in document order.

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "eval/task_list.hpp"
#include "eval/task_requests.hpp"
#include "report/zero_shot_report.hpp"

namespace btc {

/// `acc_norm` where the task has it, else `acc`; nullopt where it has neither.
std::optional<double> main_accuracy(const TaskScore& result);

/// 1 for each document that is right by `metric`, one of the accuracies, else 0. Among the choices
/// the first maximum wins; with kind likelihood a document is right if its continuation is greedy.
/// @pre one score per request
std::vector<std::uint8_t> right_documents(const TaskRequests& task,
                                          std::span<const RequestScore> scores, Metric metric);

/// All metrics of the task; `subject` stays empty. @pre one score per request, at least one
/// document
/// @throws NumericError for a log-likelihood that is NaN
TaskScore task_result(const TaskRequests& task, std::span<const RequestScore> scores);

/// Sample standard deviation over sqrt(n), the harness's; nullopt for fewer than two values.
std::optional<double> standard_error(std::span<const double> values);

/// Mean of a set's main accuracies.
struct SetAverage {
  double average = 0;
  double average_rounded = 0;  ///< of accuracies rounded to hundredths of a percent, rounded again
};
/// nullopt if a task of the set has no result.
std::optional<SetAverage> set_average(const TaskSet& set, std::span<const TaskScore> results);

}  // namespace btc
