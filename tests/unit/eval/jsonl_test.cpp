#include "eval/jsonl.hpp"

#include <gmock/gmock.h>

#include "common/error.hpp"
#include "support/scratch.hpp"
#include "support/thrown_by.hpp"

namespace btc {
namespace {

using test::thrown_by;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

class Jsonl : public ::testing::Test {
 protected:
  std::vector<std::string> names(std::string_view text, std::size_t limit = 0) {
    test::write_bytes(path_, text);
    std::vector<std::string> found;
    for_each_row(path_, limit, [&](const JsonRow& row) { found.push_back(row.text("name")); });
    return found;
  }
  std::string refusal(std::string_view text) {
    return thrown_by<InputError>([&] { names(text); });
  }

  test::Scratch scratch_{"jsonl"};
  std::filesystem::path path_ = scratch_.path() / "rows.jsonl";
};

TEST_F(Jsonl, RowsComeInFileOrder) {
  EXPECT_THAT(names("{\"name\": \"a\"}\n{\"name\": \"b\"}\n"), ElementsAre("a", "b"));
  EXPECT_THAT(names("{\"name\": \"a\"}\r\n\n  \n{\"name\": \"b\"}"), ElementsAre("a", "b"));
}

TEST_F(Jsonl, ALineEndsAtLineFeedsOnly) {
  EXPECT_THAT(names("{\"name\": \"a\xE2\x80\xA8 \xC2\x85\"}\n{\"name\": \"b\"}\n"),
              ElementsAre("a\xE2\x80\xA8 \xC2\x85", "b"));
}

TEST_F(Jsonl, TheLimitStopsBeforeLaterRowsAreLookedAt) {
  EXPECT_THAT(names("{\"name\": \"a\"}\n\n{\"name\": \"b\"}\nbroken\n", 2), ElementsAre("a", "b"));
}

TEST_F(Jsonl, ABrokenRowIsNamedWithItsLine) {
  const std::string good = "{\"name\": \"a\"}\n";
  for (const std::string_view bad :
       {std::string_view("{\"name\": "), std::string_view("[1]"), std::string_view("7"),
        std::string_view("{} {}"), std::string_view("{\"name\": \"\\ud800\"}"),
        std::string_view("{\"name\": \"\xff\"}"), std::string_view("{\"a\": 1, \"a\": 1}"),
        std::string_view("{\"name\": \"\0\"}", 12), std::string_view("{'name': 1}")}) {
    EXPECT_THAT(refusal(concat(good, "\n", bad, "\n")),
                AllOf(HasSubstr("rows.jsonl: line 3"), HasSubstr("expected one JSON object")))
        << bad;
  }
  const std::string deep = std::string(40, '[') + std::string(40, ']');
  EXPECT_THAT(refusal("{\"name\": " + deep + "}"), HasSubstr("rows.jsonl: line 1"));
}

TEST_F(Jsonl, AFileWithoutRowsIsRefused) {
  EXPECT_THAT(refusal(""), HasSubstr("holds no row"));
  EXPECT_THAT(refusal("\n \n"), HasSubstr("holds no row"));
  EXPECT_THAT(thrown_by<IoError>([&] {
                for_each_row(scratch_.path() / "absent.jsonl", 0, [](const JsonRow&) {});
              }),
              HasSubstr("absent.jsonl"));
}

TEST_F(Jsonl, FieldsOfAnotherTypeAreNamedWithWhatWasExpected) {
  const JsonRow row = JsonRow::parse(
      R"({"text": "t", "empty": "", "seven": 7, "big": 99999999999, "half": 0.5, "yes": true,
          "null": null, "list": ["a", "b"], "mixed": ["a", 1, true], "inner": {"x": 1},
          "digits": "12", "spaced": " 1"})",
      "f.jsonl: line 4");
  const auto refused = [&](auto call) {
    return thrown_by<InputError>([&] { static_cast<void>(call()); });
  };

  EXPECT_EQ(row.text("text"), "t");
  EXPECT_EQ(row.text("empty"), "");
  EXPECT_EQ(refused([&] { return row.text("seven"); }),
            "f.jsonl: line 4: field 'seven': expected a text, found 7");
  EXPECT_EQ(refused([&] { return row.text("absent"); }),
            "f.jsonl: line 4: field 'absent': expected a text, found no such field");
  EXPECT_THAT(refused([&] { return row.text("null"); }), HasSubstr("found no such field"));
  EXPECT_THAT(refused([&] { return row.filled_text("empty"); }),
              HasSubstr("that is not empty, found \"\""));

  EXPECT_EQ(row.label("seven"), "7");
  EXPECT_EQ(row.label("text"), "t");
  EXPECT_THAT(refused([&] { return row.label("half"); }),
              HasSubstr("a text or a whole number, found 0.5"));

  EXPECT_EQ(row.index("seven", 8), 7);
  EXPECT_EQ(row.index("digits", 13), 12);
  for (const char* field : {"big", "half", "yes", "text", "spaced", "empty", "list", "absent"}) {
    EXPECT_THAT(refused([&] { return row.index(field, 5); }),
                HasSubstr("a whole number from 0 to 4"))
        << field;
  }
  EXPECT_THAT(refused([&] { return row.index("seven", 7); }), HasSubstr("from 0 to 6, found 7"));

  EXPECT_TRUE(row.flag("yes"));
  EXPECT_THAT(refused([&] { return row.flag("seven"); }), HasSubstr("true or false"));
  EXPECT_THAT(row.texts("list", 2), ElementsAre("a", "b"));
  EXPECT_THAT(refused([&] { return row.texts("list", 3); }),
              HasSubstr("a list of 3 or more texts"));
  EXPECT_THAT(refused([&] { return row.texts("mixed", 1); }), HasSubstr("'mixed'"));
  EXPECT_THAT(refused([&] { return row.labels("mixed"); }), HasSubstr("'mixed'"));
  EXPECT_THAT(refused([&] { return row.object("list"); }), HasSubstr("an object"));
  EXPECT_THAT(refused([&] { return row.object("inner").text("x"); }), HasSubstr("field 'inner.x'"));
  EXPECT_TRUE(row.has("text"));
  EXPECT_FALSE(row.has("null"));
  EXPECT_FALSE(row.has("absent"));
}

TEST_F(Jsonl, ALongValueIsCutInTheMessage) {
  const JsonRow row =
      JsonRow::parse("{\"x\": \"" + std::string(5000, 'y') + "\"}", "f.jsonl: line 1");
  EXPECT_LT(thrown_by<InputError>([&] { static_cast<void>(row.flag("x")); }).size(), 200U);
}

}  // namespace
}  // namespace btc
