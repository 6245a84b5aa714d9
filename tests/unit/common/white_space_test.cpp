#include "common/white_space.hpp"

#include <gtest/gtest.h>

namespace btc {
namespace {

TEST(WhiteSpace, EveryCharacterThatPythonStripsIsStripped) {
  for (const char* space :
       {"\t",           "\n",           "\v",           "\f",           "\r",
        "\x1c",         "\x1d",         "\x1e",         "\x1f",         " ",
        "\xC2\x85",     "\xC2\xA0",     "\xE1\x9A\x80", "\xE2\x80\x80", "\xE2\x80\x8A",
        "\xE2\x80\xA8", "\xE2\x80\xA9", "\xE2\x80\xAF", "\xE2\x81\x9F", "\xE3\x80\x80"}) {
    const std::string text = std::string(space) + "a b" + space;
    EXPECT_EQ(strip(text), "a b");
    EXPECT_EQ(strip_end(text), std::string(space) + "a b");
    EXPECT_EQ(leading_space(text), std::string_view(space).size());
    EXPECT_EQ(trailing_space(text), std::string_view(space).size());
  }
}

TEST(WhiteSpace, LettersAndBrokenSequencesStay) {
  // Zero-width space, byte-order mark, a letter of two bytes, escape, NUL, cut and lone bytes.
  for (const std::string_view text :
       {std::string_view("\xE2\x80\x8B"), std::string_view("\xEF\xBB\xBF"),
        std::string_view("\xC3\xA9"), std::string_view("\x1b"), std::string_view("\0", 1),
        std::string_view("\xE2\x80"), std::string_view("\x80"), std::string_view("\xA0")}) {
    EXPECT_EQ(strip(text), text);
  }
  // The last byte alone looks like the end of a no-break space; the character is another one.
  EXPECT_EQ(strip("\xC3\xA0"), "\xC3\xA0");
}

TEST(WhiteSpace, NothingButSpaceBecomesEmpty) {
  EXPECT_EQ(strip(" \t\xC2\xA0\xE3\x80\x80\n"), "");
  EXPECT_EQ(strip(""), "");
  EXPECT_EQ(strip_end(" a  "), " a");
}

}  // namespace
}  // namespace btc
