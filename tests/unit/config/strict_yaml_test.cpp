#include "config/strict_yaml.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>

#include "common/error.hpp"

namespace btc {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

/// Text of the ConfigError that `body` throws; fails the test when it throws none.
template <typename Body>
std::string error_of(Body body) {
  try {
    body();
  } catch (const ConfigError& error) {
    return error.what();
  }
  ADD_FAILURE() << "no ConfigError was thrown";
  return {};
}

YamlNode scalar_of(const std::string& text) {
  return *parse_yaml("key: " + text, "f.yaml").find("key");
}

TEST(ParseYaml, KeepsOrderTextAndLines) {
  const YamlNode root = parse_yaml("b: 1\na:\n  c: [x, {d: 'y'}]\n", "f.yaml");
  ASSERT_EQ(root.entries.size(), 2U);
  EXPECT_EQ(root.entries[0].key, "b");
  EXPECT_EQ(root.find("a")->find("c")->origin, "f.yaml:3");
  EXPECT_EQ(to_text(root), "b: 1\na:\n  c: [x, {d: \"y\"}]\n");
}

TEST(ParseYaml, NamesBothLinesOfADuplicateKey) {
  EXPECT_THAT(error_of([] { parse_yaml("a: 1\nb: 2\na: 3\n", "f.yaml"); }),
              AllOf(HasSubstr("f.yaml:3"), HasSubstr("duplicate key 'a'"), HasSubstr("f.yaml:1")));
  EXPECT_THAT(error_of([] { parse_yaml("a: {x: 1, x: 1}", "f.yaml"); }), HasSubstr("'x'"));
}

TEST(ParseYaml, NamesTheLineOfASyntaxError) {
  EXPECT_THAT(error_of([] { parse_yaml("a: 1\nb: [1, 2\n", "f.yaml"); }),
              AllOf(HasSubstr("f.yaml:"), HasSubstr("not valid YAML")));
}

TEST(ParseYaml, RefusesTwoDocumentsAndKeysThatAreNoWords) {
  EXPECT_THAT(error_of([] { parse_yaml("a: 1\n---\nb: 2\n", "f.yaml"); }),
              HasSubstr("2 YAML documents"));
  EXPECT_THAT(error_of([] { parse_yaml("[1, 2]: 3\n", "f.yaml"); }), HasSubstr("f.yaml:1"));
}

TEST(ParseYaml, RefusesAnAliasOfItself) {
  EXPECT_THAT(error_of([] { parse_yaml("a: &x [*x]\n", "f.yaml"); }), HasSubstr("f.yaml"));
}

TEST(ParseYaml, NamesAFileThatCannotBeRead) {
  EXPECT_THAT(error_of([] { parse_yaml_file("/nonexistent/run.yaml"); }),
              HasSubstr("/nonexistent/run.yaml"));
  EXPECT_THAT(error_of([] { parse_yaml_file("/"); }), HasSubstr("cannot be read"));
}

TEST(Override, ReplacesAddsAndTakesFlowCollections) {
  YamlNode root = parse_yaml("a: {b: 1}\n", "f.yaml");
  apply_override(root, "a.b=2");
  apply_override(root, "c.d.e=[1, {x: y}]");
  apply_override(root, "a.t=/tmp/x=y");
  EXPECT_EQ(to_flow_text(root), "{a: {b: 2, t: /tmp/x=y}, c: {d: {e: [1, {x: y}]}}}");
}

TEST(Override, NamesItselfInErrors) {
  YamlNode root = parse_yaml("a: word\n", "f.yaml");
  EXPECT_THAT(error_of([&] { apply_override(root, "a.b=1"); }),
              AllOf(HasSubstr("--set a.b=1"), HasSubstr("'a' (f.yaml:1)"), HasSubstr("mapping")));
  EXPECT_THAT(error_of([&] { apply_override(root, "a.b"); }), HasSubstr("KEY.PATH=VALUE"));
  EXPECT_THAT(error_of([&] { apply_override(root, "a=[1"); }),
              AllOf(HasSubstr("--set a=[1"), HasSubstr("not valid YAML")));
  EXPECT_THAT(error_of([&] { apply_override(root, "a={x: 1, x: 2}"); }),
              AllOf(HasSubstr("--set a="), HasSubstr("duplicate key 'x'")));
}

TEST(StrictMap, ListsWhatIsAllowedForAnUnknownKey) {
  const YamlNode root = parse_yaml("known: 1\nunheard: 2\n", "f.yaml");
  StrictMap map(root, "section");
  EXPECT_NE(map.optional("known"), nullptr);
  EXPECT_EQ(map.optional("other"), nullptr);
  EXPECT_THAT(
      error_of([&] { map.finish(); }),
      AllOf(HasSubstr("f.yaml:2"), HasSubstr("section.unheard"), HasSubstr("known, other")));
}

TEST(StrictMap, NamesEveryMissingKey) {
  const YamlNode root = parse_yaml("known: 1\n", "f.yaml");
  StrictMap map(root, "");
  map.optional("known");
  map.required("first");
  map.required("second");
  EXPECT_THAT(error_of([&] { map.finish(); }), HasSubstr("first, second"));
}

TEST(StrictMap, RefusesAScalar) {
  const YamlNode node = scalar_of("word");
  EXPECT_THAT(error_of([&] { StrictMap(node, "section"); }),
              AllOf(HasSubstr("section"), HasSubstr("'word'"), HasSubstr("mapping")));
}

TEST(Scalars, IntegersAreWholeAndInRange) {
  EXPECT_EQ(read_integer(scalar_of("-3"), "k", -3, 4), -3);
  for (const char* bad : {"5", "-4", "1.0", "1e2", "0x1", "'2'", "two", "", "[1]", "{a: 1}"}) {
    EXPECT_THAT(error_of([&] { read_integer(scalar_of(bad), "k", -3, 4); }),
                AllOf(HasSubstr("f.yaml:1: k: got"), HasSubstr("integer from -3 to 4")))
        << bad;
  }
  EXPECT_EQ(read_unsigned(scalar_of("18446744073709551615"), "k"), 18446744073709551615ULL);
  EXPECT_THAT(error_of([] { read_unsigned(scalar_of("18446744073709551616"), "k"); }),
              HasSubstr("2^64"));
}

TEST(Scalars, NumbersAreFinite) {
  EXPECT_EQ(read_number(scalar_of("1e-2"), "k", 0, 1), 0.01);
  EXPECT_EQ(read_number(scalar_of("1"), "k", 0, 1), 1.0);
  for (const char* bad : {"nan", "inf", ".nan", "1.5", "-0.1", "'0.5'", "0.5x"}) {
    EXPECT_THAT(error_of([&] { read_number(scalar_of(bad), "k", 0, 1); }),
                HasSubstr("number from 0 to 1"))
        << bad;
  }
}

TEST(Scalars, BooleansAreTrueOrFalse) {
  EXPECT_TRUE(read_bool(scalar_of("true"), "k"));
  EXPECT_FALSE(read_bool(scalar_of("false"), "k"));
  for (const char* bad : {"yes", "1", "'true'", "True"}) {
    EXPECT_THAT(error_of([&] { read_bool(scalar_of(bad), "k"); }), HasSubstr("true or false"))
        << bad;
  }
}

TEST(Scalars, TextIsNotANumber) {
  EXPECT_EQ(read_string(scalar_of("runs/1"), "k"), "runs/1");
  EXPECT_EQ(read_string(scalar_of("'7'"), "k"), "7");
  for (const char* bad : {"7", "1.5", "true", "~", "null", "", "''", "[a]"}) {
    EXPECT_THAT(error_of([&] { read_string(scalar_of(bad), "k"); }), HasSubstr("expected text"))
        << bad;
  }
}

TEST(Scalars, ChoicesListTheAllowedWords) {
  constexpr std::array<std::string_view, 2> kWords = {"one", "two"};
  EXPECT_EQ(read_choice(scalar_of("two"), "k", kWords), 1U);
  EXPECT_THAT(error_of([&] { read_choice(scalar_of("Two"), "k", kWords); }),
              AllOf(HasSubstr("'Two'"), HasSubstr("one of: one, two")));
}

TEST(Writing, QuotedTextSurvives) {
  const YamlNode root = parse_yaml("a: \"x: \\\"y\\\" \\\\ z\\n#\"\nb: []\nc: {}\n", "f.yaml");
  const YamlNode back = parse_yaml(to_text(root), "g.yaml");
  EXPECT_EQ(back.find("a")->text, root.find("a")->text);
  EXPECT_EQ(to_text(back), to_text(root));
}

}  // namespace
}  // namespace btc
