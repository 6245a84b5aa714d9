#pragma once
/// Tokens that are cut out of a text before anything else happens to it.

#include <array>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace btc {

struct AddedToken {
  std::int32_t id = 0;
  std::string content;
  bool special = true;      ///< stays text unless special tokens are asked for
  bool normalized = false;  ///< looked for in the normalized text
  bool strip_left = false;  ///< takes the white space before it, too
  bool strip_right = false;
};

/// Part of a text: an added token, or text between them.
struct TextPart {
  std::size_t begin = 0;
  std::size_t end = 0;
  std::optional<std::int32_t> id;
};

/// Finds tokens in a text: leftmost first, of those that start together the longest.
class TokenMatcher {
 public:
  /// `content` of the tokens is what is looked for. Tokens without content are left out.
  explicit TokenMatcher(std::vector<AddedToken> tokens);
  /// All parts of a text in order, without gap. A special token that is found while they are not
  /// asked for stays part of the text, as a whole.
  [[nodiscard]] std::vector<TextPart> split(std::string_view text, bool specials) const;

 private:
  [[nodiscard]] const AddedToken* match(std::string_view rest) const;
  std::vector<AddedToken> tokens_;
  std::array<std::vector<std::size_t>, 256> by_first_byte_;  ///< longest first
};

}  // namespace btc
