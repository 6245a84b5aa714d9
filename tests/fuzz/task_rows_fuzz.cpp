/// A byte that chooses a task, then the file of its documents.

#include "eval/task_list.hpp"
#include "fuzz_input.hpp"
#include "support/scratch.hpp"

namespace btc::fuzz {

void read_input(const std::uint8_t* data, std::size_t size) {
  if (size == 0) {
    return;
  }
  static const test::Scratch kDirectory("fuzz-rows");
  static const std::vector<Task> kTasks = all_tasks();
  const Task& task = kTasks[data[0] % kTasks.size()];
  const std::string name(task.from_raw == nullptr ? task.name : task.file);
  const auto file = kDirectory.path() / (name + (task.from_raw == nullptr ? ".jsonl" : ".raw"));
  test::write_bytes(file, as_text(data + 1, size - 1));
  read_or_refuse([&] { static_cast<void>(read_documents(task, kDirectory.path())); });
  std::filesystem::remove(file);
}

}  // namespace btc::fuzz
