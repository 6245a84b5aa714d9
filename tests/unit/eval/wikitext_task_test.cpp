// Expected values are those of the harness's own functions under Python 3.11.

#include <gmock/gmock.h>

#include "common/hash.hpp"
#include "eval/tasks/task.hpp"
#include "eval/tasks/wikitext.hpp"
#include "support/random_text.hpp"

namespace btc {
namespace {

using ::testing::ElementsAre;

TEST(WikitextPages, BeginAtTitlesOfTheFirstLevel) {
  EXPECT_THAT(wikitext_pages(" \n = A = \n x\n = = B = = \n y\n = C = \nz"),
              ElementsAre(" = A = \n x\n = = B = = \n y", " = C = \nz"));
  EXPECT_THAT(wikitext_pages("no title\n"), ElementsAre("no title\n"));
  EXPECT_THAT(wikitext_pages("x\n = A = \n = B = \n"), ElementsAre("x", " = A = ", " = B = \n"));
  EXPECT_THAT(wikitext_pages("= A ="), ElementsAre("= A ="));
  EXPECT_THAT(wikitext_pages(" = =\n"), ElementsAre(" = =\n"));
  EXPECT_THAT(wikitext_pages(" \n\n"), ElementsAre());
}

TEST(WikitextDetokenize, UndoesTheSpacesOfTokens) {
  EXPECT_EQ(wikitext_detokenize("boys ' toys"), "boys' toys");
  EXPECT_EQ(wikitext_detokenize("a @-@ b 1 @,@ 000 3 @.@ 5"), "a-b 1,000 3.5");
  EXPECT_EQ(wikitext_detokenize("a : b ; c . d ! e ? f , g ."), "a: b; c. d! e? f, g .");
  EXPECT_EQ(wikitext_detokenize("( a ( b ) c )"), "(a ( b) c )");
  EXPECT_EQ(wikitext_detokenize("( \xC2\xA0 ) [ x ] { y }"), "() [x] {y}");
  EXPECT_EQ(wikitext_detokenize("\" q \" \" r"), "\"q\" \" r");
  EXPECT_EQ(wikitext_detokenize("it ' s ' t"), "it's' t");
  EXPECT_EQ(wikitext_detokenize(" = = H = = \n\n = = = K = = = \n"), " == H ==\n\n=== K ===\n");
  EXPECT_EQ(wikitext_detokenize("5 \xC2\xB0 N of it 's"), "5\xC2\xB0N of it's");
  EXPECT_EQ(wikitext_detokenize("= = = = ="), "=====");
  EXPECT_EQ(wikitext_detokenize(") (a"), ") (a");
}

TEST(WikitextDetokenize, KeepsTheMistakeOfTheHarness) {
  EXPECT_EQ(wikitext_detokenize("/' 5/ and /' x/ and /' 55/"), "/'[0-9]/ and /' x/ and /' 55/");
}

TEST(WikitextDetokenize, GivesTheOutputsOfTheHarnessOnRandomTexts) {
  std::string outputs;
  for (const std::string& text : test::random_texts(
           {" ", "\n", "(", ")", "[", "]", "{", "}",        "\"",       "'", "=", "s", "N",
            "0", "/",  "5", ".", ",", "@", "-", "\xC2\xB0", "\xC2\xA0", "a", ":", " ", " "})) {
    outputs += wikitext_detokenize(text) + "\x1f";
  }
  EXPECT_EQ(sha256_hex(outputs),
            "4084711e9b0dd1284b79375961c573c2c0ad1cdeebaf18b12aa217de79563464");
}

TEST(WikitextTask, CountsWordsAndBytesBeforeDetokenizing) {
  const std::vector<Document> documents = wikitext_task().from_raw(" = A = \n b @-@ c\xC3\xA9\n");
  ASSERT_EQ(documents.size(), 1U);
  EXPECT_EQ(documents[0].requests[0].context, "");
  EXPECT_EQ(documents[0].requests[0].continuation, " = A =\nb-c\xC3\xA9\n");
  EXPECT_EQ(documents[0].words, 8);
  EXPECT_EQ(documents[0].bytes, 19);
}

}  // namespace
}  // namespace btc
