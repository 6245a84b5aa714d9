#include "io/json_check.hpp"

#include <gmock/gmock.h>

#include <string>

#include "common/error.hpp"

namespace btc {
namespace {

using ::testing::HasSubstr;

std::string refusal(std::string_view text) {
  try {
    check_json(text, "x.json", 3);
  } catch (const FormatError& error) {
    return error.what();
  }
  return "accepted";
}

TEST(JsonCheck, AcceptsOneValue) {
  EXPECT_EQ(refusal(R"({"a": {"b": [1, 2.5, "c", null, true]}, "b": -3}  )"), "accepted");
}

TEST(JsonCheck, RefusesRepeatedNamesAtAnyLevel) {
  EXPECT_THAT(refusal(R"({"a": 1, "a": 2})"), HasSubstr("\"a\" occurs twice"));
  EXPECT_THAT(refusal(R"({"x": {"a": 1, "b": 2, "a": 3}})"), HasSubstr("\"a\" occurs twice"));
}

TEST(JsonCheck, RefusesNonsense) {
  EXPECT_THAT(refusal(""), HasSubstr("x.json: byte"));
  EXPECT_THAT(refusal("{"), HasSubstr("not JSON"));
  EXPECT_THAT(refusal("{} x"), HasSubstr("not JSON"));
  EXPECT_THAT(refusal("{\"a\": \"\xff\"}"), HasSubstr("not JSON"));
  EXPECT_THAT(refusal(std::string_view("{}\0{", 4)), HasSubstr("NUL"));
  EXPECT_THAT(refusal("[[[[1]]]]"), HasSubstr("deeper than 3"));
  EXPECT_THAT(refusal(std::string(100000, '[')), HasSubstr("deeper than 3"));
}

}  // namespace
}  // namespace btc
