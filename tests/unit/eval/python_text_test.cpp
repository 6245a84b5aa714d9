// Expected values are what Python 3.11 gives; hashes are over its outputs, each followed by \x1f.

#include "eval/python_text.hpp"

#include <gtest/gtest.h>

#include "common/hash.hpp"
#include "eval/tasks/hellaswag.hpp"
#include "support/random_text.hpp"

namespace btc {
namespace {

TEST(PythonText, CodePointsAreNotBytes) {
  EXPECT_EQ(code_points(""), 0U);
  EXPECT_EQ(code_points("abc"), 3U);
  EXPECT_EQ(code_points("caf\xC3\xA9"), 4U);
  EXPECT_EQ(code_points("\xE2\x82\xAC\xF0\x9F\x98\x80"), 2U);
  EXPECT_EQ(code_points("e\xCC\x81"), 2U);  // a letter and its combining accent
}

TEST(PythonText, ReplacementsGoOnceFromTheLeft) {
  EXPECT_EQ(replace_all("aaaa", "aa", "a"), "aa");
  EXPECT_EQ(replace_all("a    b", "  ", " "), "a  b");
  EXPECT_EQ(replace_all("", "x", "y"), "");
  EXPECT_EQ(replace_all("xx", "x", ""), "");
}

TEST(PythonText, CapitalizeRaisesTheFirstAndLowersTheRest) {
  EXPECT_EQ(capitalize("hELLO wORLD"), "Hello world");
  EXPECT_EQ(capitalize(" A"), " a");
  EXPECT_EQ(capitalize(""), "");
  EXPECT_EQ(capitalize("\xC3\xA9"
                       "COLE"),
            "\xC3\x89"
            "cole");
  EXPECT_EQ(capitalize("\xC7\x86"
                       "abc"),
            "\xC7\x85"
            "abc");  // a digraph has a title case of its own
  std::string outputs;
  for (const std::string& text :
       test::random_texts({"a", "B", "\xC3\xA9", "\xC3\x89", "\xD0\x96", "\xD0\xB6", " ",
                           "\xC7\x86", "1", "\xE1\x83\x90", "\xF0\x90\x90\x80", "\xC3\x9F"})) {
    // A sharp s becomes two letters at the start of a text, see capitalize.
    outputs += capitalize((text.starts_with("\xC3\x9F") ? "x" : "") + text) + "\x1f";
  }
  EXPECT_EQ(sha256_hex(outputs),
            "626ca4a085e202cc55b99c4bc463d9e00308ac15a8e3fde418118be9f84a25f2");
}

TEST(PythonText, SplitCountsPiecesBetweenRunsOfWhiteSpace) {
  EXPECT_EQ(split_count(""), 1U);
  EXPECT_EQ(split_count(" "), 2U);
  EXPECT_EQ(split_count(" a  b "), 4U);
  EXPECT_EQ(split_count("a\xC2\xA0"
                        "b\xE3\x80\x80"),
            3U);
  EXPECT_EQ(split_count("a\x1c"
                        "b\n\n c"),
            3U);
}

TEST(HellaswagText, TagsAreRemovedAfterTheStrip) {
  EXPECT_EQ(hellaswag_text("  a  b  "), "a b");
  EXPECT_EQ(hellaswag_text("[substeps] Foo bar. [title] Baz   q"), " Foo bar.. Baz  q");
  EXPECT_EQ(hellaswag_text("a [header] How to x [title] Start. [step] Go"),
            "a How to x. Start. Go");
  EXPECT_EQ(hellaswag_text("x [a\nb] y [c]"), "x [a\nb] y ");
  EXPECT_EQ(hellaswag_text("[[a]]b"), "]b");
  EXPECT_EQ(hellaswag_text("["), "[");
  EXPECT_EQ(hellaswag_text("a ] b [ c"), "a ] b [ c");
  EXPECT_EQ(hellaswag_text("\xC2\xA0\xC3\xA9\xE3\x80\x80"), "\xC3\xA9");
  EXPECT_EQ(hellaswag_text("[title] x"), " x");
  EXPECT_EQ(hellaswag_text("x [title]"), "x. ");
  std::string outputs;
  for (const std::string& text :
       test::random_texts({" ", "\n", "[", "]", " [title]", "a", "B", "\xC3\xA9", "\xE3\x80\x80",
                           "[step]", ".", " "})) {
    outputs += hellaswag_text(text) + "\x1f";
  }
  EXPECT_EQ(sha256_hex(outputs),
            "98ba75a4cedf7e0d8dbd75c889e9a52ca9d9af2441da0ac6d7a1e9b471fc4e4c");
}

}  // namespace
}  // namespace btc
