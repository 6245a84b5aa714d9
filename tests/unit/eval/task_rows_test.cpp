// Rows of every task in every form that is accepted, and what is refused. Contexts and
// continuations are what the harness (0.4) makes of such rows.

#include <gmock/gmock.h>

#include "common/error.hpp"
#include "eval/task_list.hpp"
#include "support/thrown_by.hpp"

namespace btc {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Pair;
using Texts = std::vector<std::pair<std::string, std::string>>;

Document read(std::string_view task, std::string_view row) {
  return find_tasks(task).front().from_row(JsonRow::parse(row, "f.jsonl: line 9"));
}

Texts texts(const Document& document) {
  Texts found;
  for (const TextRequest& request : document.requests) {
    found.emplace_back(request.context, request.continuation);
  }
  return found;
}

/// The message for a row; every one names file and line.
std::string refusal(std::string_view task, std::string_view row) {
  std::string message = test::thrown_by<InputError>([&] { read(task, row); });
  EXPECT_THAT(message, HasSubstr("f.jsonl: line 9: field"));
  return message;
}

TEST(WinograndeRows, ScoreTheRestOfTheSentenceBehindEachOption) {
  const Document document = read(
      "winogrande",
      R"({"sentence": "Ann beat Bo so _ , smiled. ", "option1": "Ann", "option2": "Bo", "answer": "2"})");
  EXPECT_THAT(texts(document), ElementsAre(Pair("Ann beat Bo so Ann", " , smiled."),
                                           Pair("Ann beat Bo so Bo", " , smiled.")));
  EXPECT_EQ(document.gold, 1);
  EXPECT_EQ(
      read("winogrande", R"({"sentence": "a _ b _", "option1": "x", "option2": "y", "answer": 1})")
          .gold,
      0);
}

TEST(WinograndeRows, AreRefusedWithoutBlankOptionOrAnswer) {
  EXPECT_THAT(refusal("winogrande",
                      R"({"sentence": "no blank", "option1": "x", "option2": "y", "answer": "1"})"),
              HasSubstr("'sentence': expected a text with a blank '_', found \"no blank\""));
  EXPECT_THAT(refusal("winogrande",
                      R"({"sentence": "a _ b", "option1": "x", "option2": "y", "answer": ""})"),
              HasSubstr("'answer': expected 1 or 2"));
  EXPECT_THAT(refusal("winogrande", R"({"sentence": "a _ b", "option1": "x", "answer": "1"})"),
              HasSubstr("'option2'"));
  EXPECT_THAT(refusal("winogrande", R"({"option1": "x", "option2": "y", "answer": "1"})"),
              HasSubstr("'sentence': expected a text, found no such field"));
}

TEST(KeyedRows, FindTheAnswerByItsLabel) {
  const Document letters = read(
      "openbookqa",
      R"({"id": "7-980", "question_stem": "The sun is", "choices": {"text": ["hot", " a  star "],
          "label": ["A", "B"]}, "answerKey": "B"})");
  EXPECT_THAT(texts(letters),
              ElementsAre(Pair("The sun is", " hot"), Pair("The sun is", "  a  star ")));
  EXPECT_EQ(letters.gold, 1);
  EXPECT_EQ(choice_of(letters.requests[1]), " a  star ");
  // Of the data set's fields others are passed over; a key may have white space in front.
  EXPECT_EQ(read("openbookqa",
                 R"({"question_stem": "q", "fact1": "f", "humanScore": 1.0, "answerKey": " A",
                     "choices": {"text": ["x", "y"], "label": ["A", "B"]}})")
                .gold,
            0);
  for (const char* task : {"arc_easy", "arc_challenge"}) {
    const Document numbers = read(task, R"({"id": "x", "question": "Which?", "answerKey": "4",
                       "choices": {"text": ["a", "b", "c"], "label": ["1", "3", "4"]}})");
    EXPECT_THAT(texts(numbers), ElementsAre(Pair("Question: Which?\nAnswer:", " a"),
                                            Pair("Question: Which?\nAnswer:", " b"),
                                            Pair("Question: Which?\nAnswer:", " c")));
    EXPECT_EQ(numbers.gold, 2);
  }
  EXPECT_EQ(read("arc_easy", R"({"question": "q", "answerKey": 2,
                                 "choices": {"text": ["a", "b"], "label": [1, 2]}})")
                .gold,
            1);
}

TEST(KeyedRows, AreRefusedWhereLabelsDoNotFit) {
  for (const char* task : {"openbookqa", "arc_easy", "arc_challenge"}) {
    EXPECT_THAT(refusal(task, R"({"question": "q", "question_stem": "q", "answerKey": "C",
                                  "choices": {"text": ["a", "b"], "label": ["A", "B"]}})"),
                HasSubstr("'answerKey': expected one of the labels of the choices, found \"C\""));
    EXPECT_THAT(refusal(task, R"({"question": "q", "question_stem": "q", "answerKey": "A",
                                  "choices": {"text": ["a", "b"], "label": ["A"]}})"),
                HasSubstr("'choices.label': expected 2 labels"));
    EXPECT_THAT(refusal(task, R"({"question": "q", "question_stem": "q", "answerKey": "A",
                                  "choices": {"text": ["a"], "label": ["A"]}})"),
                HasSubstr("'choices.text': expected a list of 2 or more texts"));
    EXPECT_THAT(refusal(task, R"({"question": "q", "question_stem": "q", "answerKey": "A",
                                  "choices": ["a", "b"]})"),
                HasSubstr("'choices': expected an object"));
    EXPECT_THAT(refusal(task, R"({"question": "q", "question_stem": "q",
                                  "choices": {"text": ["a", "b"], "label": ["A", "B"]}})"),
                HasSubstr("'answerKey'"));
    EXPECT_THAT(refusal(task, R"({"question": 3, "question_stem": null, "answerKey": "A",
                                  "choices": {"text": ["a", "b"], "label": ["A", "B"]}})"),
                HasSubstr("'question"));
  }
}

TEST(HellaswagRows, OfTheDataSetAreCleaned) {
  const Document document = read(
      "hellaswag",
      R"({"ind": 4, "activity_label": "Making tea", "ctx_a": "A man boils water.", "ctx_b": "he THEN",
          "ctx": "unused", "endings": ["[substeps] pours [title] it", " drinks  it "],
          "split": "val", "label": "1"})");
  EXPECT_THAT(texts(document),
              ElementsAre(Pair("Making tea: A man boils water. He then", "  pours. it"),
                          Pair("Making tea: A man boils water. He then", " drinks it")));
  EXPECT_EQ(document.gold, 1);
  EXPECT_EQ(document.note, "");
  // Without a second part the space in front of it goes with the strip.
  EXPECT_EQ(read("hellaswag", R"({"activity_label": "L", "ctx_a": "A b.", "ctx_b": "",
                                  "endings": ["x", "y"], "label": 0})")
                .requests[0]
                .context,
            "L: A b.");
}

TEST(HellaswagRows, WithAQueryAreTakenAsTheyAreAndSaySo) {
  const Document document =
      read("hellaswag", R"({"row": 0, "activity_label": "L", "query": "L: A  b", "label": 1,
                            "endings": ["x  [y]", "z", "w"]})");
  EXPECT_THAT(texts(document), ElementsAre(Pair("L: A  b", " x  [y]"), Pair("L: A  b", " z"),
                                           Pair("L: A  b", " w")));
  EXPECT_EQ(document.note, "hellaswag: rebuilt text");
}

TEST(HellaswagRows, AreRefusedWithoutContextEndingsOrLabel) {
  EXPECT_THAT(refusal("hellaswag", R"({"activity_label": "L", "ctx_a": "A", "endings": ["x", "y"],
                                       "label": "0"})"),
              HasSubstr("'ctx_b': expected a text"));
  EXPECT_THAT(refusal("hellaswag", R"({"endings": ["x", "y"], "label": "0"})"),
              HasSubstr("'activity_label'"));
  EXPECT_THAT(refusal("hellaswag", R"({"query": "q", "endings": "x", "label": "0"})"),
              HasSubstr("'endings': expected a list of 2 or more texts, found \"x\""));
  // Test splits have no labels.
  EXPECT_THAT(refusal("hellaswag", R"({"query": "q", "endings": ["x", "y"], "label": ""})"),
              HasSubstr("'label': expected a whole number from 0 to 1, found \"\""));
  EXPECT_THAT(refusal("hellaswag", R"({"query": "q", "endings": ["x", "y"], "label": 2})"),
              HasSubstr("'label': expected a whole number from 0 to 1, found 2"));
}

TEST(BoolqRows, HaveALabelOrAnAnswer) {
  const Document document =
      read("boolq", R"({"idx": 0, "passage": "Tea -- A drink.", "question": "is tea a drink",
                        "label": 1})");
  const std::string context = "Tea -- A drink.\nQuestion: is tea a drink?\nAnswer:";
  EXPECT_THAT(texts(document), ElementsAre(Pair(context, " no"), Pair(context, " yes")));
  EXPECT_EQ(document.gold, 1);
  EXPECT_EQ(document.note, "");
  const Document original =
      read("boolq", R"({"passage": "A drink.", "question": "q", "answer": false})");
  EXPECT_EQ(original.gold, 0);
  EXPECT_THAT(original.note, HasSubstr("passages without titles"));
  EXPECT_EQ(read("boolq", R"({"passage": "p", "question": "q", "answer": true})").gold, 1);
}

TEST(BoolqRows, AreRefusedWithoutPassageQuestionOrLabel) {
  EXPECT_THAT(refusal("boolq", R"({"question": "q", "label": 1})"), HasSubstr("'passage'"));
  EXPECT_THAT(refusal("boolq", R"({"passage": "p", "question": "", "label": 1})"),
              HasSubstr("'question'"));
  EXPECT_THAT(refusal("boolq", R"({"passage": "p", "question": "q", "label": -1})"),
              HasSubstr("'label': expected a whole number from 0 to 1, found -1"));
  EXPECT_THAT(refusal("boolq", R"({"passage": "p", "question": "q", "answer": "yes"})"),
              HasSubstr("'answer': expected true or false"));
  EXPECT_THAT(refusal("boolq", R"({"passage": "p", "question": "q"})"), HasSubstr("'label'"));
}

TEST(RteRows, HaveTheFieldsOfGlueOrSuperGlue) {
  const std::string context = "It rains.\nQuestion: It is dry. True or False?\nAnswer:";
  for (const char* row :
       {R"({"sentence1": "It rains.", "sentence2": "It is dry.", "label": 1, "idx": 3})",
        R"({"premise": "It rains.", "hypothesis": "It is dry.", "label": 1, "idx": 3})"}) {
    const Document document = read("rte", row);
    EXPECT_THAT(texts(document), ElementsAre(Pair(context, " True"), Pair(context, " False")));
    EXPECT_EQ(document.gold, 1);
  }
  EXPECT_THAT(refusal("rte", R"({"sentence1": "a", "label": 0})"), HasSubstr("'sentence2'"));
  EXPECT_THAT(refusal("rte", R"({"premise": "a", "label": 0})"), HasSubstr("'hypothesis'"));
  EXPECT_THAT(refusal("rte", R"({"label": 0})"), HasSubstr("'sentence1'"));
  EXPECT_THAT(refusal("rte", R"({"sentence1": "a", "sentence2": "b", "label": "entailment"})"),
              HasSubstr("'label': expected a whole number from 0 to 1, found \"entailment\""));
}

TEST(PiqaRows, KeepWhiteSpaceOfTheirChoices) {
  const Document document = read(
      "piqa", R"({"goal": "Dry a cup.", "sol1": "Wipe it. ", "sol2": "  Wet it.", "label": 0})");
  const std::string context = "Question: Dry a cup.\nAnswer:";
  EXPECT_THAT(texts(document),
              ElementsAre(Pair(context, " Wipe it. "), Pair(context, "   Wet it.")));
  EXPECT_EQ(choice_of(document.requests[1]), "  Wet it.");
  EXPECT_EQ(document.gold, 0);
  EXPECT_THAT(refusal("piqa", R"({"goal": "g", "sol1": "a", "label": 0})"), HasSubstr("'sol2'"));
  EXPECT_THAT(refusal("piqa", R"({"goal": "g", "sol1": "a", "sol2": "b", "label": -1})"),
              HasSubstr("'label'"));
}

TEST(LambadaRows, AskForTheLastWord) {
  EXPECT_THAT(texts(read("lambada", R"({"text": "She said\nto  him: go"})")),
              ElementsAre(Pair("She said\nto  him:", " go")));
  EXPECT_THAT(texts(read("lambada", R"({"context": "She said to", "continuation": "him"})")),
              ElementsAre(Pair("She said to", " him")));
  EXPECT_THAT(texts(read("lambada", R"({"text": "word"})")), ElementsAre(Pair("", " word")));
  EXPECT_THAT(refusal("lambada", R"({"txt": "a b"})"), HasSubstr("'text'"));
  EXPECT_THAT(refusal("lambada", R"({"text": ""})"), HasSubstr("'text'"));
  EXPECT_THAT(refusal("lambada", R"({"context": "a"})"), HasSubstr("'continuation'"));
}

TEST(WikitextRows, ArePagesOfTheHarnessDataSet) {
  const Document document = read("wikitext", R"({"page": " = A = \n b @-@ c"})");
  EXPECT_THAT(texts(document), ElementsAre(Pair("", " = A =\nb-c")));
  EXPECT_EQ(document.words, 7);
  EXPECT_THAT(refusal("wikitext", R"({"page": ""})"), HasSubstr("'page'"));
  EXPECT_THAT(refusal("wikitext", R"({"text": "x"})"), HasSubstr("'page'"));
}

}  // namespace
}  // namespace btc
