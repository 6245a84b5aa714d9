#include "eval/tasks/task.hpp"

namespace btc {

namespace {

/// The last word is asked for: of `text`, or of a row that has it apart as `continuation`.
Document from_row(const JsonRow& row) {
  std::string context;
  std::string word;
  if (!row.has("text") && row.has("context")) {
    context = row.text("context");
    word = row.filled_text("continuation");
  } else {
    const std::string text = row.filled_text("text");
    const std::size_t space = text.rfind(' ');
    context = space == std::string::npos ? "" : text.substr(0, space);
    word = space == std::string::npos ? text : text.substr(space + 1);
  }
  return choices_document(context, {word}, 0);
}

}  // namespace

Task lambada_task() {
  return {.name = "lambada_openai",
          .file = "lambada_openai_test",
          .split = "test",
          .kind = TaskKind::kLikelihood,
          .metrics = {Metric::kPerplexity, Metric::kAcc},
          .from_row = from_row};
}

}  // namespace btc
