#include "eval/tasks/task.hpp"

namespace btc {

namespace {

/// SuperGLUE's rows have `label` (1 = yes), the original data set's `answer` (true or false).
std::int32_t gold_of(const JsonRow& row) {
  if (!row.has("label") && row.has("answer")) {
    return row.flag("answer") ? 1 : 0;
  }
  return row.index("label", 2);
}

Document from_row(const JsonRow& row) {
  const std::string passage = row.filled_text("passage");
  const std::string context = passage + "\nQuestion: " + row.filled_text("question") + "?\nAnswer:";
  Document document = choices_document(context, {"no", "yes"}, gold_of(row));
  if (passage.find(" -- ") == std::string::npos) {
    document.note = "boolq: passages without titles, unlike SuperGLUE's";
  }
  return document;
}

}  // namespace

Task boolq_task() {
  return {.name = "boolq",
          .file = "boolq_validation",
          .split = "validation",
          .version = 2,
          .metrics = {Metric::kAcc},
          .from_row = from_row};
}

}  // namespace btc
