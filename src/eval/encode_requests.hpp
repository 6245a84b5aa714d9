#pragma once
/// Texts of a task to token requests, by the rules of the harness.

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "eval/special_ids.hpp"
#include "eval/task_list.hpp"
#include "eval/task_requests.hpp"
#include "model/tokenizer.hpp"

namespace btc {

struct EncodeOptions {
  AddBos add_bos = AddBos::kAuto;
  std::size_t max_length = 2048;  ///< ids that the model is given at once
};

/// One request as ids.
struct EncodedRequest {
  std::vector<std::int32_t> ids{};  ///< context, then continuation
  std::size_t context = 0;          ///< ids of the context
  bool violation = false;           ///< the context's ids are no prefix of the whole's
};

/// Encodes requests; the ids of the latest context are kept, because choices share it.
class RequestEncoder {
 public:
  /// The tokenizer has to outlive the encoder. @throws InputError as `leading_id`
  RequestEncoder(const Tokenizer& tokenizer, const SpecialIds& ids, AddBos add_bos);

  /// White space at the end of the context moves to the continuation; then w = enc(context +
  /// continuation) and c = enc(context), both with BOS in front if it is added; the ids are c, then
  /// what w has behind the length of c. An empty context is the prefix id.
  /// @throws InputError if no id is left for the continuation, or there is no prefix id
  EncodedRequest encode(const TextRequest& request);
  /// Ids of a text with BOS in front if it is added.
  [[nodiscard]] std::vector<std::int32_t> encode_text(std::string_view text) const;
  [[nodiscard]] std::int32_t prefix() const;
  [[nodiscard]] bool adds_bos() const { return bos_.has_value(); }

 private:
  EncodedRequest encode_without_context(std::string_view continuation) const;

  const Tokenizer& tokenizer_;
  std::optional<std::int32_t> prefix_;
  std::optional<std::int32_t> bos_;  ///< only if it is added
  std::string latest_context_;
  std::vector<std::int32_t> latest_ids_;
};

/// A long text in windows in which every id is scored once: first `prefix` and up to `max_length`
/// ids; then each window's context is as long as `max_length` allows beside what is new, at least
/// one id. @pre ids not empty, max_length >= 1
std::vector<EncodedRequest> rolling_windows(const std::vector<std::int32_t>& ids,
                                            std::int32_t prefix, std::size_t max_length);

/// All requests of a task. Inputs longer than `max_length` lose the start of their context.
/// @throws InputError naming task and document
TaskRequests encode_task(const Task& task, const TaskDocuments& documents,
                         const Tokenizer& tokenizer, const SpecialIds& ids,
                         const EncodeOptions& options);

}  // namespace btc
