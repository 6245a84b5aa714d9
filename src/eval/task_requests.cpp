#include "eval/task_requests.hpp"

#include <utility>

#include "common/error.hpp"

namespace btc {

void limit_inputs(TaskRequests& task, std::size_t max_length) {
  if (task.max_length <= max_length) {
    return;
  }
  const TokenRequests& requests = task.requests;
  task.max_length = max_length;
  task.cut_requests = 0;
  for (std::size_t r = 0; r < requests.requests(); ++r) {
    const std::int64_t input = requests.offset[r + 1] - requests.offset[r] - 1;
    task.cut_requests += std::cmp_greater(input, max_length) ? 1 : 0;
  }
}

std::vector<std::string> remarks_on(const TaskRequests& task) {
  const std::string& name = task.requests.task;
  std::vector<std::string> remarks = task.notes;
  if (task.kind == TaskKind::kRolling) {
    remarks.push_back(concat(name, ": ", task.requests.requests(), " windows of at most ",
                             task.max_length, " ids, each id scored once"));
  }
  if (task.cut_requests > 0) {
    remarks.push_back(concat(name, ": ", task.cut_requests,
                             " requests lost the start of their context, inputs have at most ",
                             task.max_length, " ids"));
  }
  if (task.boundary_violations > 0) {
    remarks.push_back(
        concat(name, ": ", task.boundary_violations,
               " requests whose context has other ids alone than in front of its continuation"));
  }
  return remarks;
}

}  // namespace btc
