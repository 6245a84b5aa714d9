#pragma once
/// From task files and a tokenizer to everything a scorer needs.

#include <cstddef>
#include <filesystem>
#include <optional>
#include <vector>

#include "eval/request_file.hpp"
#include "eval/special_ids.hpp"
#include "eval/task_list.hpp"

namespace btc {

struct PrepareRequests {
  std::vector<Task> tasks{};
  std::filesystem::path data{};  ///< folder of the task files
  std::filesystem::path
      model{};  ///< folder of the tokenizer, and of config.json where there is one
  AddBos add_bos = AddBos::kAuto;
  /// Ids a model is given at once. Absent: `max_position_embeddings` of config.json; without that
  /// file 2048.
  std::optional<std::size_t> max_length{};
  std::size_t limit = 0;  ///< documents of each task; 0: all
};

/// Reads and encodes all tasks.
/// @throws InputError, ConfigError, IoError
RequestFile prepare_requests(const PrepareRequests& options);

}  // namespace btc
