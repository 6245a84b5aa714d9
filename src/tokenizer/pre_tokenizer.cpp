#include "tokenizer/pre_tokenizer.hpp"

#include <algorithm>
#include <memory>
#include <utility>

#include "common/error.hpp"
#include "tokenizer/byte_alphabet.hpp"
#include "tokenizer/normalizer.hpp"

namespace btc {

namespace {

/// Each match joined to the range before it, unless that is a match, too.
std::vector<TextRange> merge_with_previous(const std::vector<TextRange>& ranges) {
  std::vector<TextRange> result;
  bool previous_matched = false;
  for (const TextRange& range : ranges) {
    if (range.matched && !previous_matched && !result.empty()) {
      result.back().end = range.end;
    } else {
      result.push_back(range);
    }
    previous_matched = range.matched;
  }
  return result;
}

/// Each match joined to the range behind it, unless that is a match, too.
std::vector<TextRange> merge_with_next(const std::vector<TextRange>& ranges) {
  std::vector<TextRange> result;
  bool next_matched = false;
  for (auto range = ranges.rbegin(); range != ranges.rend(); ++range) {
    if (range->matched && !next_matched && !result.empty()) {
      result.back().begin = range->begin;
    } else {
      result.push_back(*range);
    }
    next_matched = range->matched;
  }
  std::reverse(result.begin(), result.end());
  return result;
}

std::vector<TextRange> merge_rows(const std::vector<TextRange>& ranges) {
  std::vector<TextRange> result;
  for (const TextRange& range : ranges) {
    if (!result.empty() && result.back().matched == range.matched) {
      result.back().end = range.end;
    } else {
      result.push_back(range);
    }
  }
  return result;
}

std::vector<TextRange> apply(SplitBehavior behavior, std::vector<TextRange> ranges) {
  switch (behavior) {
    case SplitBehavior::kRemoved:
      std::erase_if(ranges, [](const TextRange& range) { return range.matched; });
      return ranges;
    case SplitBehavior::kIsolated:
      return ranges;
    case SplitBehavior::kMergedWithPrevious:
      return merge_with_previous(ranges);
    case SplitBehavior::kMergedWithNext:
      return merge_with_next(ranges);
    case SplitBehavior::kContiguous:
      return merge_rows(ranges);
  }
  return ranges;
}

void cut(const Pattern& pattern, SplitBehavior behavior, bool invert, const Piece& piece,
         std::vector<Piece>& pieces) {
  std::vector<TextRange> ranges = pattern.split(piece.text);
  if (invert) {
    for (TextRange& range : ranges) {
      range.matched = !range.matched;
    }
  }
  for (const TextRange& range : apply(behavior, std::move(ranges))) {
    pieces.push_back({piece.text.substr(range.begin, range.end - range.begin),
                      piece.at_start && range.begin == 0});
  }
}

}  // namespace

PreTokenizeStep split_step(Pattern pattern, SplitBehavior behavior, bool invert) {
  return [=, pattern = std::move(pattern)](Piece&& piece, std::vector<Piece>& pieces) {
    cut(pattern, behavior, invert, piece, pieces);
  };
}

PreTokenizeStep metaspace_step(std::string replacement, PrefixScheme scheme, bool split) {
  const Pattern pattern = Pattern::literal(replacement);
  return [=, replacement = std::move(replacement)](Piece&& piece, std::vector<Piece>& pieces) {
    piece.text = replace_all(piece.text, " ", replacement);
    const bool prefix =
        scheme == PrefixScheme::kAlways || (scheme == PrefixScheme::kFirst && piece.at_start);
    if (prefix && !piece.text.starts_with(replacement)) {
      piece.text.insert(0, replacement);
    }
    if (split) {
      cut(pattern, SplitBehavior::kMergedWithNext, false, piece, pieces);
    } else {
      pieces.push_back(std::move(piece));
    }
  };
}

PreTokenizeStep space_prefix_step() {
  return [](Piece&& piece, std::vector<Piece>& pieces) {
    if (!piece.text.starts_with(' ')) {
      piece.text.insert(0, " ");
    }
    pieces.push_back(std::move(piece));
  };
}

PreTokenizeStep in_byte_alphabet(PreTokenizeStep step) {
  const auto alphabet = std::make_shared<const ByteAlphabet>();
  return [=, step = std::move(step)](Piece&& piece, std::vector<Piece>& pieces) {
    std::vector<Piece> written;
    step({alphabet->to_text(piece.text), piece.at_start}, written);
    for (const Piece& part : written) {
      pieces.push_back({alphabet->to_bytes(part.text).value(), part.at_start});
    }
  };
}

Pattern gpt2_pattern() {
  return Pattern(R"('s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+)",
                 "byte-level pre-tokenizer");
}

Pattern punctuation_pattern() {
  // The package's table is that of Unicode 8: without what is punctuation since then, and with two
  // characters that no longer are.
  constexpr std::string_view kLater =
      R"(\x{61d}\x{9fd}-\x{a76}\x{c77}-\x{c84}\x{1b7d}-\x{1b7e}\x{2e43}-\x{2e5d}\x{10ead}-\x{10f89})"
      R"(\x{1144b}-\x{1145d}\x{11660}-\x{116b9}\x{1183b}-\x{11fff}\x{12ff1}-\x{12ff2})"
      R"(\x{16e97}-\x{16fe2}\x{1e95e}-\x{1e95f})";
  return Pattern(concat("(?![", kLater, R"(])[\p{P}$+<=>^`|~]|[\x{166d}\x{111c9}])"),
                 "pre-tokenizer Punctuation");
}

std::vector<Piece> pre_tokenize(const std::vector<PreTokenizeStep>& steps, Piece text) {
  std::vector<Piece> pieces;
  if (!text.text.empty()) {
    pieces.push_back(std::move(text));
  }
  for (const PreTokenizeStep& step : steps) {
    std::vector<Piece> next;
    next.reserve(pieces.size());
    for (Piece& piece : pieces) {
      step(std::move(piece), next);
    }
    pieces = std::move(next);
  }
  return pieces;
}

}  // namespace btc
