#pragma once
/// Requests written down in a test.

#include <cstdint>
#include <string>
#include <vector>

#include "common/rng.hpp"
#include "eval/token_requests.hpp"

namespace btc::test {

/// Context and continuation of one choice.
struct Choice {
  std::vector<std::int32_t> context;
  std::vector<std::int32_t> continuation;
};

/// One document per inner list.
inline TokenRequests make_requests(const std::vector<std::vector<Choice>>& documents) {
  TokenRequests requests;
  requests.task = "made";
  requests.offset = {0};
  requests.doc_start = {0};
  for (const auto& document : documents) {
    for (const Choice& choice : document) {
      for (const auto* part : {&choice.context, &choice.continuation}) {
        requests.tokens.insert(requests.tokens.end(), part->begin(), part->end());
      }
      requests.offset.push_back(static_cast<std::int64_t>(requests.tokens.size()));
      requests.ctx_len.push_back(static_cast<std::int32_t>(choice.context.size()));
      requests.char_len.push_back(static_cast<std::int32_t>(choice.continuation.size()));
      requests.byte_len.push_back(static_cast<std::int32_t>(choice.continuation.size()));
    }
    requests.doc_start.push_back(static_cast<std::int64_t>(requests.ctx_len.size()));
    requests.gold.push_back(0);
  }
  return requests;
}

/// Documents of one to five choices: contexts of up to 20 ids, some of them shared, continuations
/// of up to 6.
inline std::vector<std::vector<Choice>> random_documents(std::size_t count, std::size_t vocab,
                                                         std::uint64_t seed) {
  Rng rng(seed);
  const auto some_ids = [&](std::size_t most) {
    std::vector<std::int32_t> ids(1 + rng.below(most));
    for (std::int32_t& id : ids) {
      id = static_cast<std::int32_t>(rng.below(vocab));
    }
    return ids;
  };
  std::vector<std::vector<Choice>> documents;
  for (std::size_t d = 0; d < count; ++d) {
    const std::vector<std::int32_t> context =
        d % 3 == 2 ? documents.back().front().context : some_ids(20);
    documents.emplace_back();
    for (std::size_t c = 1 + rng.below(5); c > 0; --c) {
      documents.back().push_back({context, some_ids(d % 4 == 0 ? 1 : 6)});
    }
  }
  return documents;
}

}  // namespace btc::test
