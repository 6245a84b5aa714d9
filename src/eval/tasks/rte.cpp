#include "eval/tasks/task.hpp"

namespace btc {

namespace {

/// GLUE names the sentences `sentence1` and `sentence2`, SuperGLUE `premise` and `hypothesis`.
Document from_row(const JsonRow& row) {
  const bool super_glue = !row.has("sentence1") && row.has("premise");
  const std::string first = row.filled_text(super_glue ? "premise" : "sentence1");
  const std::string second = row.filled_text(super_glue ? "hypothesis" : "sentence2");
  return choices_document(first + "\nQuestion: " + second + " True or False?\nAnswer:",
                          {"True", "False"}, row.index("label", 2));
}

}  // namespace

Task rte_task() {
  return {.name = "rte",
          .file = "rte_validation",
          .split = "validation",
          .metrics = {Metric::kAcc},
          .from_row = from_row};
}

}  // namespace btc
