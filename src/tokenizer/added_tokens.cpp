#include "tokenizer/added_tokens.hpp"

#include <algorithm>

#include "tokenizer/unicode.hpp"

namespace btc {

namespace {

/// Bytes of white space at the start of `text`.
std::size_t leading_space(std::string_view text) {
  std::size_t bytes = 0;
  while (bytes < text.size() && is_white_space(first_code_point(text.substr(bytes)))) {
    bytes += utf8_length(text[bytes]);
  }
  return bytes;
}

/// Where the white space at the end of `text` begins.
std::size_t trailing_space(std::string_view text) {
  std::size_t begin = text.size();
  std::size_t at = text.size();
  while (at > 0) {
    do {
      --at;
    } while (at > 0 && (static_cast<unsigned char>(text[at]) & 0xc0U) == 0x80U);
    if (!is_white_space(first_code_point(text.substr(at)))) {
      break;
    }
    begin = at;
  }
  return begin;
}

}  // namespace

TokenMatcher::TokenMatcher(std::vector<AddedToken> tokens) : tokens_(std::move(tokens)) {
  for (std::size_t i = 0; i < tokens_.size(); ++i) {
    if (!tokens_[i].content.empty()) {
      by_first_byte_.at(static_cast<unsigned char>(tokens_[i].content[0])).push_back(i);
    }
  }
  for (auto& candidates : by_first_byte_) {
    std::stable_sort(candidates.begin(), candidates.end(), [&](std::size_t a, std::size_t b) {
      return tokens_[a].content.size() > tokens_[b].content.size();
    });
  }
}

const AddedToken* TokenMatcher::match(std::string_view rest) const {
  for (const std::size_t i : by_first_byte_.at(static_cast<unsigned char>(rest.front()))) {
    if (rest.starts_with(tokens_[i].content)) {
      return &tokens_[i];
    }
  }
  return nullptr;
}

std::vector<TextPart> TokenMatcher::split(std::string_view text, bool specials) const {
  std::vector<TextPart> parts;
  std::size_t done = 0;  // `parts` ends here
  for (std::size_t at = 0; at < text.size();) {
    const AddedToken* token = match(text.substr(at));
    if (token == nullptr) {
      ++at;
      continue;
    }
    std::size_t begin = at;
    std::size_t end = at + token->content.size();
    at = end;
    if (token->special && !specials) {
      continue;
    }
    if (token->strip_left) {
      begin = std::max(done, trailing_space(text.substr(0, begin)));
    }
    if (token->strip_right) {
      end += leading_space(text.substr(end));
    }
    if (done < begin) {
      parts.push_back({done, begin, std::nullopt});
    }
    parts.push_back({begin, end, token->id});
    done = end;
  }
  if (done < text.size()) {
    parts.push_back({done, text.size(), std::nullopt});
  }
  return parts;
}

}  // namespace btc
