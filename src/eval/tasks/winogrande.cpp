#include "common/white_space.hpp"
#include "eval/tasks/task.hpp"

namespace btc {

namespace {

/// Partial scoring: each option completes the context, the same rest of the sentence is scored.
Document from_row(const JsonRow& row) {
  const std::string sentence = row.text("sentence");
  const std::size_t blank = sentence.find('_');
  if (blank == std::string::npos) {
    row.refuse("sentence", "a text with a blank '_'");
  }
  const std::string answer = row.label("answer");
  if (answer != "1" && answer != "2") {
    row.refuse("answer", "1 or 2");
  }
  const std::string suffix = " " + std::string(strip(sentence.substr(blank + 1)));
  Document document;
  for (const char* option : {"option1", "option2"}) {
    document.requests.push_back({sentence.substr(0, blank) + row.filled_text(option), suffix});
  }
  document.gold = answer == "1" ? 0 : 1;
  return document;
}

}  // namespace

Task winogrande_task() {
  return {.name = "winogrande",
          .file = "winogrande_xl_validation",
          .split = "validation",
          .metrics = {Metric::kAcc},
          .from_row = from_row};
}

}  // namespace btc
