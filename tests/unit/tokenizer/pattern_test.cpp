#include "tokenizer/pattern.hpp"

#include <gmock/gmock.h>

#include "common/error.hpp"
#include "tokenizer/pre_tokenizer.hpp"

namespace btc {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

/// Ranges as text; what no match covers is in brackets.
std::vector<std::string> split(const Pattern& pattern, std::string_view text) {
  std::vector<std::string> pieces;
  for (const TextRange& range : pattern.split(text)) {
    const std::string piece(text.substr(range.begin, range.end - range.begin));
    pieces.push_back(range.matched ? piece : "(" + piece + ")");
  }
  return pieces;
}

std::vector<std::string> split(std::string_view regex, std::string_view text) {
  return split(Pattern(regex, "test"), text);
}

std::string refusal(std::string_view regex) {
  try {
    const Pattern pattern(regex, "here");
  } catch (const InputError& error) {
    return error.what();
  }
  return "accepted";
}

TEST(Pattern, RangesCoverTheText) {
  EXPECT_THAT(split("[0-9]+", "ab12c3"), ElementsAre("(ab)", "12", "(c)", "3"));
  EXPECT_THAT(split("[0-9]+", "abc"), ElementsAre("(abc)"));
  EXPECT_THAT(split("[0-9]+", ""), ElementsAre());
  EXPECT_THAT(split("x*", "\xC3\xA9xx"), ElementsAre("(\xC3\xA9)", "xx"));  // empty matches
}

TEST(Pattern, ALiteralIsNoExpression) {
  EXPECT_THAT(split(Pattern::literal("a.c"), "abca.c"), ElementsAre("(abc)", "a.c"));
}

TEST(Pattern, ClassesAreThoseOfUnicode) {
  EXPECT_THAT(split(R"(\p{L}+|\p{N})", "\xC3\xA9t\xC3\xA9\xC2\xBD"),
              ElementsAre("\xC3\xA9t\xC3\xA9", "\xC2\xBD"));
  EXPECT_THAT(split(R"((?i:'S))", "'s'\xC5\xBF"), ElementsAre("'s", "'\xC5\xBF"));  // long s
}

TEST(Pattern, MongolianVowelSeparatorIsNoWhiteSpace) {
  EXPECT_THAT(split(R"(\s+)", " \xE1\xA0\x8E\xE3\x80\x80"),
              ElementsAre(" ", "(\xE1\xA0\x8E)", "\xE3\x80\x80"));
  EXPECT_THAT(split(R"([\sx]+)", " \xE1\xA0\x8Ex"), ElementsAre(" ", "(\xE1\xA0\x8E)", "x"));
  EXPECT_THAT(split(R"(\S+)", " \xE1\xA0\x8E"), ElementsAre("( )", "\xE1\xA0\x8E"));
}

TEST(Pattern, WordCharactersIncludeMarks) {
  EXPECT_THAT(split(R"(\w+)", "e\xCC\x81-_1"), ElementsAre("e\xCC\x81", "(-)", "_1"));
}

TEST(Pattern, ASetWithinASetAddsToIt) {
  EXPECT_THAT(split(R"([^(\s|[.,!])]+)", "ab.c|d (e"),
              ElementsAre("ab", "(.)", "c", "(|)", "d", "( ()", "e"));
  EXPECT_EQ(to_pcre2(R"([a[b-c]d]e)"), "[ab-cd]e");
}

TEST(Pattern, PunctuationIsThatOfUnicode8) {
  // U+2E54 and U+0C77 came later, U+166D was one at that time.
  EXPECT_THAT(
      split(punctuation_pattern(), "a+\xE3\x80\x82\xE2\xB9\x94\xE0\xB1\xB7\xE1\x99\xAD\xC2\xA9"),
      ElementsAre("(a)", "+", "\xE3\x80\x82", "(\xE2\xB9\x94\xE0\xB1\xB7)", "\xE1\x99\xAD",
                  "(\xC2\xA9)"));
}

TEST(Pattern, DollarStandsAtLines) {
  EXPECT_THAT(split(R"(\s+$)", "a \nb "), ElementsAre("(a)", " ", "(\nb)", " "));
}

TEST(Pattern, GroupsMayBeCaptured) {
  EXPECT_THAT(split("(a|(b))c", "acxbc"), ElementsAre("ac", "(x)", "bc"));
}

// The expected pieces below are those of `tokenizers` 0.23.

TEST(Pattern, APlusBehindAnIntervalRepeatsIt) {
  EXPECT_THAT(split(R"(\p{N}{1,3}+)", "a1234567b"), ElementsAre("(a)", "1234567", "(b)"));
  EXPECT_THAT(split(R"((?:ab|[cd]){2}+)", "abcabda"), ElementsAre("abcabd", "(a)"));
  EXPECT_THAT(split("(a(b)){2}+", "xababababab"), ElementsAre("(x)", "abababab", "(ab)"));
  EXPECT_THAT(split("\xC3\xA9{2}+", "\xC3\xA9\xC3\xA9\xC3\xA9\xC3\xA9"),
              ElementsAre("\xC3\xA9\xC3\xA9\xC3\xA9\xC3\xA9"));
  EXPECT_THAT(split(R"([\w-]{2}+|\x{21}{2}+|{{2}+)", "abcd!!!!{{{{"),
              ElementsAre("abcd", "!!!!", "{{{{"));
  EXPECT_THAT(split(R"([^\s]++\s?+)", "ab  c"), ElementsAre("ab ", "( )", "c"));  // these do not
}

TEST(Pattern, AQuestionMarkBehindANumberMakesItOptional) {
  EXPECT_THAT(split("ab{2}?", "abbab"), ElementsAre("abb", "a", "(b)"));
  EXPECT_THAT(split("ab{1,2}?", "abbab"), ElementsAre("ab", "(b)", "ab"));
}

TEST(Pattern, AnIntervalMayLackItsFirstNumber) {
  EXPECT_THAT(split("ab{,2}", "abbba"), ElementsAre("abb", "(b)", "a"));
  EXPECT_THAT(split("a{,}b{x}", "a{,}b{x}"), ElementsAre("a{,}b{x}"));
}

TEST(Pattern, AScriptHoldsOnlyItsOwnCharacters) {
  // U+3001 and U+3002 are used by Han, Hiragana and others, and belong to none.
  EXPECT_THAT(split(R"(\p{Han}+)", "\xE4\xBB\x8A\xE3\x80\x81\xE5\xA4\xA9\xE3\x80\x82"),
              ElementsAre("\xE4\xBB\x8A", "(\xE3\x80\x81)", "\xE5\xA4\xA9", "(\xE3\x80\x82)"));
  EXPECT_THAT(split(R"([\p{Hiragana}a]+)", "a\xE3\x81\xAF\xE3\x80\x82"),
              ElementsAre("a\xE3\x81\xAF", "(\xE3\x80\x82)"));
  EXPECT_THAT(split(R"(\p{^Han}+)", "\xE4\xBB\x8A\xE3\x80\x81"),
              ElementsAre("(\xE4\xBB\x8A)", "\xE3\x80\x81"));
  EXPECT_EQ(to_pcre2(R"(\p{Alphabetic}\P{Lu}\p{^Greek})"), R"(\p{Alphabetic}\P{Lu}\p{^sc:Greek})");
  EXPECT_THAT(refusal(R"(\pL)"), HasSubstr("the escape \\p without braces"));
}

TEST(Pattern, SuperscriptsAreWordCharactersOutsideOfSetsOnly) {
  EXPECT_THAT(split(R"(\w+)", "x\xC2\xB2-\xC2\xBD"), ElementsAre("x\xC2\xB2", "(-)", "\xC2\xBD"));
  EXPECT_THAT(split(R"([\w]+)", "x\xC2\xB2"), ElementsAre("x", "(\xC2\xB2)"));
  EXPECT_THAT(split(R"([^\w\s]+)", "x \xC2\xB2"), ElementsAre("(x )", "\xC2\xB2"));
}

TEST(Pattern, OptionMLetsADotMatchLineFeeds) {
  EXPECT_THAT(split("(?m:a.)", "a\nab"), ElementsAre("a\n", "ab"));
  EXPECT_THAT(split("(?mi)A.|^b", "a\nb"), ElementsAre("a\n", "b"));
  EXPECT_THAT(split("a.", "a\nab"), ElementsAre("(a\n)", "ab"));
}

TEST(Pattern, OptionsStandAtTheStartOfABranch) {
  EXPECT_THAT(split("(?i)a|b", "AB"), ElementsAre("A", "B"));
  EXPECT_THAT(split("c|(?:(?i)a|b)c", "ACc"), ElementsAre("(AC)", "c"));
  EXPECT_THAT(refusal("c(?i)a|b"), HasSubstr("options behind the start of a branch"));
}

TEST(Pattern, WhatWouldMeanSomethingElseIsRefused) {
  EXPECT_THAT(refusal(R"(\h)"), HasSubstr("here: regular expression: the escape \\h"));
  EXPECT_THAT(refusal(R"(\bx)"), HasSubstr("the escape \\b"));
  EXPECT_THAT(refusal(R"([^\S])"), HasSubstr("the escape \\S within a set"));
  EXPECT_THAT(refusal(R"([a-z&&[^b]])"), HasSubstr("'&&' within a set"));
  EXPECT_THAT(refusal(R"([a[^bc]])"), HasSubstr("'[^' within a set"));
  EXPECT_THAT(refusal(R"([]a])"), HasSubstr("']' right behind '['"));
  EXPECT_THAT(refusal("a\\"), HasSubstr("ends with a backslash"));
  EXPECT_THAT(refusal("(a"), HasSubstr("missing closing parenthesis at byte 2 of (a"));
  EXPECT_THAT(refusal("[^\\[\\]\\u00e9]"), "accepted");
}

TEST(Pattern, LongRunsOfOneKindAreMatched) {
  constexpr std::size_t kBytes = 4'000'000;
  const std::string_view regex =
      R"([^\r\n\p{L}\p{N}]?\p{L}+| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)";
  for (const char c : {' ', 'a', '-', '\n'}) {
    EXPECT_EQ(split(regex, std::string(kBytes, c)).size(), 1U) << "of " << c;
  }
  EXPECT_EQ(split(regex, std::string(kBytes, ' ') + "a").size(), 2U);
}

}  // namespace
}  // namespace btc
