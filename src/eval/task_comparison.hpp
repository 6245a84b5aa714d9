#pragma once
/// Two models on the same requests, document by document.

#include <cstddef>
#include <optional>
#include <span>

#include "eval/task_result.hpp"

namespace btc {

/// What changes from a first to a second model. The difference of accuracies has a far smaller
/// error than either: most documents are right or wrong with both.
struct PairedComparison {
  std::size_t both = 0;  ///< documents that both get right
  std::size_t won = 0;   ///< that only the second gets right
  std::size_t lost = 0;  ///< that only the first gets right
  std::size_t neither = 0;
  double difference = 0;                 ///< accuracy of the second minus that of the first
  std::optional<double> standard_error;  ///< of the difference
};

/// @param metric one of the accuracies. @pre one score per request in both, at least one document
PairedComparison compare_paired(const TaskRequests& task, std::span<const RequestScore> first,
                                std::span<const RequestScore> second, Metric metric);

}  // namespace btc
