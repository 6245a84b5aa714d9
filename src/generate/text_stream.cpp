#include "generate/text_stream.hpp"

#include <algorithm>

#include "tokenizer/unicode.hpp"

namespace btc {
namespace {

constexpr std::string_view kReplacement = "\xEF\xBF\xBD";  // U+FFFD
/// Ids of the prompt that new ones are decoded with.
constexpr std::size_t kContext = 8;

/// Where two texts begin to differ.
std::size_t common_length(std::string_view a, std::string_view b) {
  return static_cast<std::size_t>(
      std::mismatch(a.begin(),
                    a.begin() + static_cast<std::ptrdiff_t>(std::min(a.size(), b.size())),
                    b.begin())
          .first -
      a.begin());
}

}  // namespace

TextStream::TextStream(const Tokenizer& tokenizer, const std::vector<std::int32_t>& prompt)
    : tokenizer_(tokenizer) {
  const std::size_t context = std::min(prompt.size(), kContext);
  ids_.assign(prompt.end() - static_cast<std::ptrdiff_t>(context), prompt.end());
  given_ = ids_.size();
}

std::string TextStream::push(std::int32_t id) {
  ids_.push_back(id);
  const std::string text = tokenizer_.decode(ids_);
  if (incomplete_tail(text) > 0 || std::string_view(text).ends_with(kReplacement)) {
    return "";
  }
  const std::vector<std::int32_t> before(ids_.begin(),
                                         ids_.begin() + static_cast<std::ptrdiff_t>(given_));
  const std::size_t known = common_length(text, tokenizer_.decode(before));
  // The ids just given out are the context of the next ones.
  ids_.erase(ids_.begin(), ids_.begin() + static_cast<std::ptrdiff_t>(given_));
  given_ = ids_.size();
  return replace_invalid_utf8(std::string_view(text).substr(known));
}

std::string TextStream::finish() {
  const std::vector<std::int32_t> before(ids_.begin(),
                                         ids_.begin() + static_cast<std::ptrdiff_t>(given_));
  const std::string text = tokenizer_.decode(ids_);
  const std::size_t known = common_length(text, tokenizer_.decode(before));
  given_ = ids_.size();
  return replace_invalid_utf8(std::string_view(text).substr(known));
}

}  // namespace btc
