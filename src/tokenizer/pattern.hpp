#pragma once
/// Regular expressions that cut a text into pieces.

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace btc {

/// Bytes [begin, end) of a text.
struct TextRange {
  std::size_t begin = 0;
  std::size_t end = 0;
  bool matched = false;  ///< a match of the pattern; else what lies between two matches
};

/// The PCRE2 spelling of an expression in the dialect of tokenizer files (Oniguruma, which agrees
/// with Rust's `regex` in what is accepted here). White space and word characters mean other sets
/// in PCRE2 and are written out.
/// @throws InputError for what would mean something else: an escape that is not in the list,
///         a set within a set, `&&`
std::string to_pcre2(std::string_view regex);

/// A compiled expression. Copies share it; `split` may be called from several threads.
class Pattern {
 public:
  /// @param origin begins the message
  /// @throws InputError if the expression is damaged or not supported
  Pattern(std::string_view regex, std::string_view origin);
  /// A pattern that matches `text` and nothing else. @pre text is not empty
  static Pattern literal(std::string_view text);

  /// Matches from left to right and the text between them, in order, without gap; no range is
  /// empty. @pre text is valid UTF-8
  [[nodiscard]] std::vector<TextRange> split(std::string_view text) const;

 private:
  struct Code;
  explicit Pattern(std::shared_ptr<const Code> code);
  std::shared_ptr<const Code> code_;
};

}  // namespace btc
