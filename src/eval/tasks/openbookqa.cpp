#include "eval/tasks/task.hpp"

namespace btc {

namespace {

Document from_row(const JsonRow& row) {
  std::vector<std::string> choices;
  const std::int32_t gold = keyed_choices(row, choices);
  return choices_document(row.filled_text("question_stem"), choices, gold);
}

}  // namespace

Task openbookqa_task() {
  return {.name = "openbookqa",
          .file = "openbookqa_test",
          .split = "test",
          .metrics = length_normalized_metrics(),
          .from_row = from_row};
}

}  // namespace btc
