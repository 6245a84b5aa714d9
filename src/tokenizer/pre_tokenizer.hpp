#pragma once
/// The steps that cut a text into the pieces which byte-pair encoding works on.

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "tokenizer/pattern.hpp"

namespace btc {

struct Piece {
  std::string text;
  bool at_start = false;  ///< begins where the whole text begins
};

/// Appends what becomes of a piece; never an empty piece.
using PreTokenizeStep = std::function<void(Piece&&, std::vector<Piece>&)>;

/// What becomes of the matches of a pattern.
enum class SplitBehavior {
  kRemoved,             ///< they vanish
  kIsolated,            ///< each is a piece
  kMergedWithPrevious,  ///< each ends the piece before it
  kMergedWithNext,      ///< each begins the piece behind it
  kContiguous           ///< those in a row are one piece
};

/// @param invert takes what lies between matches for the matches
PreTokenizeStep split_step(Pattern pattern, SplitBehavior behavior, bool invert);

enum class PrefixScheme { kAlways, kFirst, kNever };
/// Spaces become `replacement`, which is put in front of pieces by the scheme; then cut in front of
/// each replacement if `split`.
PreTokenizeStep metaspace_step(std::string replacement, PrefixScheme scheme, bool split);

/// A space in front of pieces that start with none.
PreTokenizeStep space_prefix_step();
/// Makes a step see each byte of a piece as its character of the byte alphabet. Its pieces may
/// begin and end within a character of the text.
PreTokenizeStep in_byte_alphabet(PreTokenizeStep step);
/// GPT-2's pattern.
Pattern gpt2_pattern();
/// One punctuation character: of ASCII, or of a category P of Unicode 8.
Pattern punctuation_pattern();

/// All steps, each on all pieces of the one before.
std::vector<Piece> pre_tokenize(const std::vector<PreTokenizeStep>& steps, Piece text);

}  // namespace btc
