#pragma once
/// The tokenized requests of a task with all that is needed to turn scores into its metrics.

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "eval/tasks/task.hpp"
#include "eval/token_requests.hpp"

namespace btc {

struct TaskRequests {
  TokenRequests requests{};  ///< with kind rolling, the requests of a document are its windows
  TaskKind kind = TaskKind::kChoices;
  std::vector<Metric> metrics{};
  int version = 1;
  std::string split{};
  std::vector<std::int64_t> doc_words{};  ///< [D] rolling only, else empty
  std::vector<std::int64_t> doc_bytes{};  ///< [D] rolling only, else empty

  std::size_t max_length = 0;            ///< longest input in ids
  bool add_bos = false;                  ///< BOS is in front of every encoded text
  std::string request_sha256{};          ///< of the texts, see request_text.hpp
  std::int64_t boundary_violations = 0;  ///< requests whose context is no prefix of the whole
  std::int64_t cut_requests = 0;         ///< requests that lost the start of their context
  std::int64_t limit = 0;                ///< documents asked for; 0: all of the file
  std::vector<std::string> notes{};      ///< to be said beside every result
};

/// For a model that takes no longer inputs: they will lose their first ids, which `cut_requests`
/// counts.
void limit_inputs(TaskRequests& task, std::size_t max_length);

/// What is to be said beside every result of these requests.
std::vector<std::string> remarks_on(const TaskRequests& task);

}  // namespace btc
