#pragma once
/// A document of a task as text: what is asked of a model before it is tokenized.

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace btc {

/// One log-likelihood: that of the continuation behind the context.
struct TextRequest {
  std::string context;
  std::string continuation;  ///< of a choice: a space, then the choice
};

/// The choice without the space that was put in front, with any white space of its own.
inline std::string_view choice_of(const TextRequest& request) {
  return std::string_view(request.continuation)
      .substr(request.continuation.starts_with(' ') ? 1 : 0);
}

/// The requests of one document, one for each choice. A rolling document has one request without
/// context, whose continuation is the whole text.
struct Document {
  std::vector<TextRequest> requests;
  std::int32_t gold = 0;   ///< the right choice
  std::int64_t words = 0;  ///< rolling: of the text before detokenizing
  std::int64_t bytes = 0;  ///< rolling: likewise
  std::string note;        ///< what has to be said beside every result; mostly empty
};

}  // namespace btc
