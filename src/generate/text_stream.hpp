#pragma once
/// Token ids to text as they come, in whole characters.

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "tokenizer/tokenizer.hpp"

namespace btc {

/// A character can be spread over several ids, and what an id stands for depends on those before
/// it. So the last few ids are decoded together, and text is given out once it ends in a whole
/// character. What is given out is UTF-8: bytes that belong to no character are U+FFFD.
class TextStream {
 public:
  /// @param prompt ids that the text goes on from, without special tokens; not given out
  TextStream(const Tokenizer& tokenizer, const std::vector<std::int32_t>& prompt);
  /// The text that became certain with this id; may be empty.
  std::string push(std::int32_t id);
  /// What is still held back, a character that never ended too.
  std::string finish();

 private:
  const Tokenizer& tokenizer_;
  std::vector<std::int32_t> ids_;  ///< decoded together
  std::size_t given_ = 0;          ///< of them, those whose text was given out
};

}  // namespace btc
