#include "tokenizer/unicode.hpp"

#include <gtest/gtest.h>

#include <array>
#include <string>
#include <vector>

namespace btc {
namespace {

const std::string kMark = "\xEF\xBF\xBD";  // U+FFFD

TEST(ReplaceInvalidUtf8, LeavesWholeCharactersAsTheyAre) {
  for (const char* const text :
       {"", "plain", "\xC3\xA9", "\xE6\x97\xA5\xE6\x9C\xAC", "\xF0\x9F\x98\x80", "\xEE\x80\x80",
        "\xED\x9F\xBF", "\xF4\x8F\xBF\xBF"}) {
    EXPECT_EQ(replace_invalid_utf8(text), text);
    EXPECT_FALSE(find_invalid_utf8(text).has_value()) << text;
  }
}

/// What Python's `bytes.decode("utf-8", "replace")` makes of the same bytes.
TEST(ReplaceInvalidUtf8, MarksEachLongestBeginningOnce) {
  const std::vector<std::array<std::string, 2>> cases = {
      {"a\xC3\xA9\xFF", "a\xC3\xA9" + kMark},
      {"\xE5\xE4ry", kMark + kMark + "ry"},
      {"\xE2\x82x", kMark + "x"},
      {"\xF0\x9F\x98", kMark},
      {"\xED\xA0\x80", kMark + kMark + kMark},
      {"\xF0\x80\x80", kMark + kMark + kMark},
      {"\xE0\x80", kMark + kMark},
      {"\xC0\xAFz", kMark + kMark + "z"},
      {"\xF4\x90\x80\x80", kMark + kMark + kMark + kMark},
      {"\xF5\xF5", kMark + kMark},
      {"\x80\xE6\x97\xA5", kMark + "\xE6\x97\xA5"}};
  for (const auto& [bytes, expected] : cases) {
    EXPECT_EQ(replace_invalid_utf8(bytes), expected) << ::testing::PrintToString(bytes);
  }
}

}  // namespace
}  // namespace btc
