/// A byte that chooses a task, then the file of its documents.

#include "eval/task_list.hpp"
#include "fuzz_input.hpp"
#include "support/scratch.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) {
    return 0;
  }
  static const btc::test::Scratch directory("fuzz-rows");
  static const std::vector<btc::Task> tasks = btc::all_tasks();
  const btc::Task& task = tasks[data[0] % tasks.size()];
  const std::string name(task.from_raw == nullptr ? task.name : task.file);
  const auto file = directory.path() / (name + (task.from_raw == nullptr ? ".jsonl" : ".raw"));
  btc::test::write_bytes(file, btc::fuzz::as_text(data + 1, size - 1));
  btc::fuzz::read_or_refuse(
      [&] { static_cast<void>(btc::read_documents(task, directory.path())); });
  std::filesystem::remove(file);
  return 0;
}
