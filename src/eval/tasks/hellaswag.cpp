#include <algorithm>

#include "common/white_space.hpp"
#include "eval/python_text.hpp"
#include "eval/tasks/hellaswag.hpp"
#include "eval/tasks/task.hpp"

namespace btc {

namespace {

/// Without every `[...]`, each as short as can be and inside one line.
std::string without_tags(std::string_view text) {
  std::string result;
  while (!text.empty()) {
    const std::size_t open = std::min(text.find('['), text.size());
    result += text.substr(0, open);
    text.remove_prefix(open);
    const std::size_t end = text.find_first_of("]\n");
    if (end != std::string_view::npos && text[end] == ']') {
      text.remove_prefix(end + 1);
    } else if (!text.empty()) {
      result += text.front();
      text.remove_prefix(1);
    }
  }
  return result;
}

/// Of the data set: context in two parts, texts as they were collected.
Document from_raw_row(const JsonRow& row) {
  const std::string context =
      row.text("activity_label") + ": " + row.text("ctx_a") + " " + capitalize(row.text("ctx_b"));
  std::vector<std::string> endings = row.texts("endings", 2);
  for (std::string& ending : endings) {
    ending = hellaswag_text(ending);
  }
  return choices_document(hellaswag_text(context), endings, row.index("label", endings.size()));
}

/// With context and endings made already; such copies lost the white space at the edges.
Document from_query_row(const JsonRow& row) {
  const std::vector<std::string> endings = row.texts("endings", 2);
  Document document =
      choices_document(row.filled_text("query"), endings, row.index("label", endings.size()));
  document.note = "hellaswag: rebuilt text";
  return document;
}

Document from_row(const JsonRow& row) {
  return row.has("query") && !row.has("ctx_a") ? from_query_row(row) : from_raw_row(row);
}

}  // namespace

std::string hellaswag_text(std::string_view raw) {
  const std::string without_titles = replace_all(strip(raw), " [title]", ". ");
  return replace_all(without_tags(without_titles), "  ", " ");
}

Task hellaswag_task() {
  return {.name = "hellaswag",
          .file = "hellaswag_validation",
          .split = "validation",
          .metrics = length_normalized_metrics(),
          .from_row = from_row};
}

}  // namespace btc
