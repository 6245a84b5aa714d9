#include "eval/task_list.hpp"

#include <algorithm>

#include "common/error.hpp"
#include "common/white_space.hpp"
#include "io/atomic_file.hpp"
#include "tokenizer/unicode.hpp"

namespace btc {

namespace {

namespace fs = std::filesystem;

constexpr std::string_view kLambada = "lambada_openai";
constexpr std::string_view kLambadaForShort = "lambada";

/// Appends the task unless it is there already. @return false if there is no such task
bool add_task(std::vector<Task>& tasks, std::string_view name) {
  const auto same = [&](const Task& task) { return task.name == name; };
  if (std::any_of(tasks.begin(), tasks.end(), same)) {
    return true;
  }
  const std::vector<Task> known = all_tasks();
  const auto found = std::find_if(known.begin(), known.end(), same);
  if (found == known.end()) {
    return false;
  }
  tasks.push_back(*found);
  return true;
}

std::string known_names() {
  std::string names;
  for (const TaskSet& set : task_sets()) {
    names += concat(set.name, ", ");
  }
  for (const Task& task : all_tasks()) {
    names += concat(task.name, ", ");
  }
  names.resize(names.size() - 2);
  return names;
}

std::vector<Document> read_raw(const Task& task, const fs::path& path, std::size_t limit) {
  const std::string text = read_text_file(path);
  require_utf8_file(text, path.string());
  std::vector<Document> documents = task.from_raw(text);
  BTC_REQUIRE(InputError, !documents.empty(), path.string(), ": the text is empty");
  if (limit > 0 && documents.size() > limit) {
    documents.resize(limit);
  }
  return documents;
}

}  // namespace

std::vector<Task> all_tasks() {
  return {winogrande_task(), openbookqa_task(),    hellaswag_task(), boolq_task(),
          arc_easy_task(),   arc_challenge_task(), rte_task(),       piqa_task(),
          lambada_task(),    wikitext_task()};
}

std::vector<TaskSet> task_sets() {
  return {
      {"btc7",
       {"winogrande", "openbookqa", "hellaswag", "boolq", "arc_easy", "arc_challenge", "rte"}},
      {"arb7",
       {"winogrande", "openbookqa", "hellaswag", "boolq", "arc_easy", "arc_challenge", "piqa"}}};
}

std::vector<Task> find_tasks(std::string_view names) {
  std::vector<Task> tasks;
  const std::vector<TaskSet> sets = task_sets();
  while (!names.empty()) {
    const std::size_t comma = std::min(names.find(','), names.size());
    std::string_view name = strip(names.substr(0, comma));
    names.remove_prefix(std::min(comma + 1, names.size()));
    const auto set =
        std::find_if(sets.begin(), sets.end(), [&](const TaskSet& s) { return s.name == name; });
    if (set != sets.end()) {
      for (const std::string_view member : set->tasks) {
        add_task(tasks, member);
      }
      continue;
    }
    name = name == kLambadaForShort ? kLambada : name;
    BTC_REQUIRE(ConfigError, add_task(tasks, name), "unknown task '", name, "', expected ",
                known_names());
  }
  BTC_REQUIRE(ConfigError, !tasks.empty(), "no task named, expected some of ", known_names());
  return tasks;
}

fs::path task_file(const Task& task, const fs::path& directory) {
  std::vector<std::string> names = {concat(task.name, ".jsonl"), concat(task.file, ".jsonl")};
  if (task.name == kLambada) {
    names.push_back(concat(kLambadaForShort, ".jsonl"));
  }
  if (task.from_raw != nullptr) {
    names.push_back(concat(task.file, ".raw"));
  }
  std::string tried;
  for (const std::string& name : names) {
    if (fs::exists(directory / name)) {
      return directory / name;
    }
    tried += (tried.empty() ? "" : " or ") + name;
  }
  BTC_THROW(InputError, directory.string(), ": no data of the task ", task.name, ", expected ",
            tried);
}

TaskDocuments read_documents(const Task& task, const fs::path& directory, std::size_t limit) {
  const fs::path path = task_file(task, directory);
  TaskDocuments result;
  if (path.extension() == ".raw") {
    result.documents = read_raw(task, path, limit);
  } else {
    for_each_row(path, limit,
                 [&](const JsonRow& row) { result.documents.push_back(task.from_row(row)); });
  }
  for (const Document& document : result.documents) {
    if (!document.note.empty() &&
        std::find(result.notes.begin(), result.notes.end(), document.note) == result.notes.end()) {
      result.notes.push_back(document.note);
    }
  }
  return result;
}

}  // namespace btc
