#pragma once
/// All tasks and the sets that papers average over.

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "eval/tasks/task.hpp"

namespace btc {

/// Tasks whose scores are averaged under one name.
struct TaskSet {
  std::string_view name;
  std::vector<std::string_view> tasks;
};

/// Every task, in the order in which results are listed.
std::vector<Task> all_tasks();
/// `btc7` (BTC-LLM) and `arb7` (ARB-LLM: piqa in place of rte).
std::vector<TaskSet> task_sets();
/// Tasks of a list of names and sets with commas between them, `btc7,piqa`, each once, in the order
/// of the list. `lambada` is `lambada_openai`.
/// @throws ConfigError for an unknown name, naming those that exist, or for none at all
std::vector<Task> find_tasks(std::string_view names);

/// The file of a task: `DIRECTORY/NAME.jsonl`, `DIRECTORY/FILE.jsonl` (of lambada_openai also
/// `lambada.jsonl`) or, where the task has that form, `FILE.raw`. @throws InputError naming those
/// if there is none
std::filesystem::path task_file(const Task& task, const std::filesystem::path& directory);

/// The documents of a task's file.
struct TaskDocuments {
  std::vector<Document> documents;
  std::vector<std::string> notes;  ///< each once, in order of their first document
};
/// Reads `task_file`.
/// @param limit reads only so many documents from the start; 0: all
/// @throws InputError if there is no such file, or for a malformed row; IoError
TaskDocuments read_documents(const Task& task, const std::filesystem::path& directory,
                             std::size_t limit = 0);

}  // namespace btc
