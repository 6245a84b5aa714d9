#include "eval/tasks/task.hpp"

namespace btc {

namespace {

Document from_row(const JsonRow& row) {
  const std::string context = "Question: " + row.text("goal") + "\nAnswer:";
  const std::vector<std::string> solutions = {row.text("sol1"), row.text("sol2")};
  return choices_document(context, solutions, row.index("label", 2));
}

}  // namespace

Task piqa_task() {
  return {.name = "piqa",
          .file = "piqa_validation",
          .split = "validation",
          .metrics = length_normalized_metrics(),
          .from_row = from_row};
}

}  // namespace btc
