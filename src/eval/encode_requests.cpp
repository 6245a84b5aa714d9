#include "eval/encode_requests.hpp"

#include <algorithm>

#include "common/error.hpp"
#include "common/matrix.hpp"
#include "common/white_space.hpp"
#include "eval/python_text.hpp"
#include "eval/request_text.hpp"

namespace btc {

namespace {

using Ids = std::vector<std::int32_t>;

/// Drops ids at the left until the input, all but the last id, fits. @return true if any were
bool cut_left(EncodedRequest& request, std::size_t max_length) {
  if (request.ids.size() <= max_length + 1) {
    return false;
  }
  const std::size_t dropped = request.ids.size() - (max_length + 1);
  BTC_REQUIRE(InputError, dropped < request.context, "a continuation of ",
              request.ids.size() - request.context, " ids, expected at most ", max_length);
  request.ids.erase(request.ids.begin(),
                    request.ids.begin() + static_cast<std::ptrdiff_t>(dropped));
  request.context -= dropped;
  return true;
}

void append(TokenRequests& all, const EncodedRequest& request, std::string_view choice) {
  all.tokens.insert(all.tokens.end(), request.ids.begin(), request.ids.end());
  all.offset.push_back(narrow<std::int64_t>(all.tokens.size()));
  all.ctx_len.push_back(narrow<std::int32_t>(request.context));
  all.char_len.push_back(narrow<std::int32_t>(code_points(choice)));
  all.byte_len.push_back(narrow<std::int32_t>(choice.size()));
}

void encode_document(const Document& document, RequestEncoder& encoder, std::size_t max_length,
                     TaskRequests& result) {
  for (const TextRequest& text : document.requests) {
    if (result.kind == TaskKind::kRolling) {
      const Ids ids = encoder.encode_text(text.continuation);
      BTC_REQUIRE(InputError, !ids.empty(), "a text without ids");
      for (const auto& window : rolling_windows(ids, encoder.prefix(), max_length)) {
        append(result.requests, window, "");
      }
      continue;
    }
    EncodedRequest request = encoder.encode(text);
    result.boundary_violations += request.violation ? 1 : 0;
    result.cut_requests += cut_left(request, max_length) ? 1 : 0;
    append(result.requests, request, choice_of(text));
  }
}

}  // namespace

RequestEncoder::RequestEncoder(const Tokenizer& tokenizer, const SpecialIds& ids, AddBos add_bos)
    : tokenizer_(tokenizer), prefix_(ids.prefix), bos_(leading_id(ids, add_bos)) {}

Ids RequestEncoder::encode_text(std::string_view text) const {
  Ids ids = tokenizer_.encode(text);
  if (bos_) {
    ids.insert(ids.begin(), *bos_);
  }
  return ids;
}

std::int32_t RequestEncoder::prefix() const {
  BTC_REQUIRE(InputError, prefix_.has_value(),
              "a text without context needs BOS or EOS in front, and this model has neither");
  return *prefix_;
}

EncodedRequest RequestEncoder::encode_without_context(std::string_view continuation) const {
  EncodedRequest request;
  request.ids = tokenizer_.encode(continuation);
  BTC_REQUIRE(InputError, !request.ids.empty(), "a continuation without ids");
  request.context = 1;
  if (request.ids.front() != prefix()) {
    request.ids.insert(request.ids.begin(), prefix());
  }
  BTC_REQUIRE(InputError, request.ids.size() > 1, "a continuation without ids");
  return request;
}

EncodedRequest RequestEncoder::encode(const TextRequest& request) {
  const std::string_view context = strip_end(request.context);
  const std::string continuation = request.context.substr(context.size()) + request.continuation;
  if (context.empty()) {
    return encode_without_context(continuation);
  }
  if (latest_ids_.empty() || latest_context_ != context) {
    latest_context_ = context;
    latest_ids_ = encode_text(context);
  }
  const Ids whole = encode_text(latest_context_ + continuation);
  if (latest_ids_.empty()) {
    return encode_without_context(latest_context_ + continuation);
  }
  EncodedRequest result;
  result.context = latest_ids_.size();
  BTC_REQUIRE(InputError, whole.size() > result.context,
              "the continuation adds no id to those of its context");
  result.ids = latest_ids_;
  const auto rest = whole.begin() + static_cast<std::ptrdiff_t>(result.context);
  result.violation = !std::equal(whole.begin(), rest, latest_ids_.begin());
  result.ids.insert(result.ids.end(), rest, whole.end());
  return result;
}

std::vector<EncodedRequest> rolling_windows(const Ids& ids, std::int32_t prefix,
                                            std::size_t max_length) {
  BTC_CHECK(!ids.empty() && max_length >= 1, "nothing to cut into windows");
  std::vector<EncodedRequest> windows;
  const auto at = [&](std::size_t i) { return ids.begin() + static_cast<std::ptrdiff_t>(i); };
  EncodedRequest first{.ids = {prefix}, .context = 1};
  std::size_t scored = std::min(max_length, ids.size());
  first.ids.insert(first.ids.end(), at(0), at(scored));
  windows.push_back(std::move(first));
  while (scored < ids.size()) {
    const std::size_t fresh = std::min(ids.size() - scored, max_length);
    const std::size_t end = scored + fresh;
    // The input is the max_length ids in front of the last one.
    windows.push_back(
        {.ids = Ids(at(end - max_length - 1), at(end)), .context = max_length + 1 - fresh});
    scored = end;
  }
  return windows;
}

TaskRequests encode_task(const Task& task, const TaskDocuments& documents,
                         const Tokenizer& tokenizer, const SpecialIds& ids,
                         const EncodeOptions& options) {
  BTC_REQUIRE(ConfigError, options.max_length >= 1, "max_length is 0, expected 1 or more");
  RequestEncoder encoder(tokenizer, ids, options.add_bos);
  TaskRequests result{.kind = task.kind,
                      .metrics = task.metrics,
                      .version = task.version,
                      .split = std::string(task.split),
                      .max_length = options.max_length,
                      .add_bos = encoder.adds_bos(),
                      .notes = documents.notes};
  const bool rolling = task.kind == TaskKind::kRolling;
  result.request_sha256 = request_sha256(documents.documents, rolling);
  TokenRequests& requests = result.requests;
  requests.task = task.name;
  requests.offset = {0};
  requests.doc_start = {0};
  for (std::size_t d = 0; d < documents.documents.size(); ++d) {
    const Document& document = documents.documents[d];
    try {
      encode_document(document, encoder, options.max_length, result);
    } catch (const InputError& error) {
      BTC_THROW(InputError, task.name, ", document ", d + 1, ": ", error.what());
    }
    requests.doc_start.push_back(narrow<std::int64_t>(requests.requests()));
    requests.gold.push_back(document.gold);
    if (rolling) {
      result.doc_words.push_back(document.words);
      result.doc_bytes.push_back(document.bytes);
    }
  }
  return result;
}

}  // namespace btc
