#pragma once
/// `requests.h5`: tokenized tasks, schema `btc.requests` of docs/file_formats.md.

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "eval/task_requests.hpp"

namespace btc {

struct RequestFile {
  std::vector<TaskRequests> tasks{};  ///< a file keeps them by name, ascending
  std::string tokenizer_sha256{};     ///< empty: unknown, as in files of other programs
  std::size_t vocab_size = 0;
  std::int32_t bos_id = -1;      ///< -1: the model has none
  std::size_t max_length = 0;    ///< no input, a request without its last id, is longer
  std::string made_by{};         ///< `native`, or the version of the harness that encoded the texts
  std::string content_sha256{};  ///< of all datasets; filled in by the reader
};

/// @throws ConfigError if two tasks have one name; IoError
void write_requests(const std::filesystem::path& path, const RequestFile& file);

/// Reads and checks everything: offsets, lengths, ids, right choices, hashes.
/// @param vocab_size of the model that will score them
/// @throws FormatError for a damaged file; InputError for an id outside the vocabulary; IoError
RequestFile read_requests(const std::filesystem::path& path, std::size_t vocab_size);

/// @param tokenizer_sha256 of the tokenizer of the model that will score them
/// @throws InputError, beginning with `origin`, if the requests were made with another one
void check_tokenizer(const RequestFile& file, std::string_view tokenizer_sha256,
                     std::string_view origin);

/// What the reader requires of one task.
/// @throws FormatError, or InputError for an id outside the vocabulary, beginning with `origin`
void check_task_requests(const TaskRequests& task, std::size_t vocab_size, std::size_t max_length,
                         std::string_view origin);

}  // namespace btc
