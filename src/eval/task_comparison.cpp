#include "eval/task_comparison.hpp"

#include <cstdint>
#include <vector>

#include "common/error.hpp"

namespace btc {

PairedComparison compare_paired(const TaskRequests& task, std::span<const RequestScore> first,
                                std::span<const RequestScore> second, Metric metric) {
  const std::vector<std::uint8_t> before = right_documents(task, first, metric);
  const std::vector<std::uint8_t> after = right_documents(task, second, metric);
  BTC_CHECK(!before.empty(), task.requests.task, ": no documents");
  PairedComparison result;
  std::vector<double> changes;
  for (std::size_t d = 0; d < before.size(); ++d) {
    std::size_t& count = before[d] != 0 ? (after[d] != 0 ? result.both : result.lost)
                                        : (after[d] != 0 ? result.won : result.neither);
    ++count;
    changes.push_back(static_cast<double>(after[d]) - static_cast<double>(before[d]));
  }
  result.difference = (static_cast<double>(result.won) - static_cast<double>(result.lost)) /
                      static_cast<double>(before.size());
  result.standard_error = standard_error(changes);
  return result;
}

}  // namespace btc
