#include "eval/tasks/task.hpp"

namespace btc {

namespace {

Document from_row(const JsonRow& row) {
  std::vector<std::string> choices;
  const std::int32_t gold = keyed_choices(row, choices);
  return choices_document("Question: " + row.filled_text("question") + "\nAnswer:", choices, gold);
}

Task arc_task(std::string_view name, std::string_view file) {
  return {.name = name,
          .file = file,
          .split = "test",
          .metrics = length_normalized_metrics(),
          .from_row = from_row};
}

}  // namespace

Task arc_easy_task() { return arc_task("arc_easy", "arc_easy_test"); }
Task arc_challenge_task() { return arc_task("arc_challenge", "arc_challenge_test"); }

}  // namespace btc
