#include "tokenizer/added_tokens.hpp"

#include <gmock/gmock.h>

namespace btc {
namespace {

using ::testing::ElementsAre;

/// Parts as `text` or `id:text`.
std::vector<std::string> split(const TokenMatcher& matcher, std::string_view text, bool specials) {
  std::vector<std::string> parts;
  for (const TextPart& part : matcher.split(text, specials)) {
    const std::string content(text.substr(part.begin, part.end - part.begin));
    parts.push_back(part.id ? std::to_string(*part.id) + ":" + content : content);
  }
  return parts;
}

TEST(TokenMatcher, TheLongestOfTheLeftmostIsTaken) {
  const TokenMatcher matcher(
      {{.id = 1, .content = "<a>"}, {.id = 2, .content = "<a>b"}, {.id = 3, .content = "a>bc"}});
  EXPECT_THAT(split(matcher, "x<a>bc<a>", true), ElementsAre("x", "2:<a>b", "c", "1:<a>"));
  EXPECT_THAT(split(matcher, "", true), ElementsAre());
}

TEST(TokenMatcher, SpecialTokensStayTextUnlessAskedFor) {
  const TokenMatcher matcher({{.id = 1, .content = "<s>"},
                              {.id = 2, .content = "tool", .special = false},
                              {.id = 3, .content = "<tool>"}});
  EXPECT_THAT(split(matcher, "<s>tool<tool>", false), ElementsAre("<s>", "2:tool", "<tool>"));
  EXPECT_THAT(split(matcher, "<s>tool<tool>", true), ElementsAre("1:<s>", "2:tool", "3:<tool>"));
}

TEST(TokenMatcher, TokensTakeTheWhiteSpaceBesideThem) {
  const TokenMatcher matcher({{.id = 1, .content = "L", .strip_left = true},
                              {.id = 2, .content = "R", .strip_right = true}});
  EXPECT_THAT(split(matcher, "a \xC2\xA0L b R\t\nc", true),
              ElementsAre("a", "1: \xC2\xA0L", " b ", "2:R\t\n", "c"));
  EXPECT_THAT(split(matcher, "R L", true), ElementsAre("2:R ", "1:L"));
}

}  // namespace
}  // namespace btc
