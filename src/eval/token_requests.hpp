#pragma once
/// Requests as token ids: what the scorer takes and what `requests.h5` holds (file_formats.md).

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace btc {

/// The requests of one task. Request r owns tokens offset[r] .. offset[r+1]: a context of
/// ctx_len[r] ids, then the continuation, whose ids are scored. Document d owns requests
/// doc_start[d] .. doc_start[d+1], one per choice.
struct TokenRequests {
  std::string task;
  std::vector<std::int32_t> tokens;     ///< [sum of lengths]
  std::vector<std::int64_t> offset;     ///< [R + 1], from 0, rising
  std::vector<std::int32_t> ctx_len;    ///< [R], each >= 1 and < the request's length
  std::vector<std::int64_t> doc_start;  ///< [D + 1], from 0, rising
  std::vector<std::int32_t> gold;       ///< [D] the right choice; 0 where there is only one
  std::vector<std::int32_t> char_len;   ///< [R] code points of the choice, for acc_norm
  std::vector<std::int32_t> byte_len;   ///< [R] bytes of the choice, for acc_bytes

  [[nodiscard]] std::size_t requests() const { return ctx_len.size(); }
  [[nodiscard]] std::size_t documents() const { return gold.size(); }
};

/// What a model says of one request.
struct RequestScore {
  double log_likelihood = 0.0;  ///< sum over the continuation of log softmax(logits)[id], nats
  bool greedy = false;          ///< each id of the continuation is the argmax of its row
};

}  // namespace btc
