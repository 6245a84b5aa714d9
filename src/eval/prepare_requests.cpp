#include "eval/prepare_requests.hpp"

#include <algorithm>
#include <memory>

#include "common/error.hpp"
#include "eval/encode_requests.hpp"
#include "pack/packed_directory.hpp"

namespace btc {

RequestFile prepare_requests(const PrepareRequests& options) {
  constexpr std::size_t kDefaultLength = 2048;
  const std::unique_ptr<Tokenizer> tokenizer = open_tokenizer(options.model);
  const SpecialIds ids = read_special_ids(*tokenizer, options.model);
  RequestFile file{.tokenizer_sha256 = tokenizer->file_sha256(),
                   .vocab_size = tokenizer->vocab_size(),
                   .bos_id = ids.bos.value_or(-1),
                   .max_length = options.max_length.value_or(kDefaultLength),
                   .made_by = "native"};
  if (std::filesystem::exists(options.model / "config.json")) {
    const ModelConfig config = load_source_config(options.model);
    // Ids of special tokens may lie behind those of the tokenizer's file.
    file.vocab_size = std::max(file.vocab_size, config.vocab_size);
    file.max_length = options.max_length.value_or(config.max_position);
  }
  for (const Task& task : options.tasks) {
    const TaskDocuments documents = read_documents(task, options.data, options.limit);
    file.tasks.push_back(encode_task(task, documents, *tokenizer, ids,
                                     {.add_bos = options.add_bos, .max_length = file.max_length}));
    file.tasks.back().limit = static_cast<std::int64_t>(options.limit);
  }
  return file;
}

}  // namespace btc
