#include "eval/task_list.hpp"

#include <gmock/gmock.h>

#include "common/error.hpp"
#include "support/scratch.hpp"
#include "support/thrown_by.hpp"

namespace btc {
namespace {

using test::thrown_by;
using test::write_bytes;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

std::vector<std::string_view> names(std::string_view list) {
  std::vector<std::string_view> found;
  for (const Task& task : find_tasks(list)) {
    found.push_back(task.name);
  }
  return found;
}

TEST(TaskList, SetsStandForTheirTasksAndEachTaskIsThereOnce) {
  EXPECT_THAT(names("btc7"), ElementsAre("winogrande", "openbookqa", "hellaswag", "boolq",
                                         "arc_easy", "arc_challenge", "rte"));
  EXPECT_THAT(names("arb7"), ElementsAre("winogrande", "openbookqa", "hellaswag", "boolq",
                                         "arc_easy", "arc_challenge", "piqa"));
  EXPECT_THAT(names("rte, btc7,piqa,lambada"),
              ElementsAre("rte", "winogrande", "openbookqa", "hellaswag", "boolq", "arc_easy",
                          "arc_challenge", "piqa", "lambada_openai"));
}

TEST(TaskList, AnUnknownNameIsRefusedWithThoseThatExist) {
  for (const char* list : {"piqa,mmlu", "", ",", "piqa,,rte"}) {
    EXPECT_THAT(
        thrown_by<ConfigError>([&] { find_tasks(list); }),
        AllOf(HasSubstr("expected"), HasSubstr("btc7, arb7, winogrande"), HasSubstr("wikitext")))
        << list;
  }
  EXPECT_THAT(thrown_by<ConfigError>([] { find_tasks("mmlu"); }), HasSubstr("'mmlu'"));
}

TEST(TaskList, DocumentsAreReadUnderEitherName) {
  const test::Scratch scratch("task-list");
  const Task piqa = find_tasks("piqa").front();
  const std::string row = R"({"goal": "g", "sol1": "a", "sol2": "b", "label": 0})";
  EXPECT_THAT(thrown_by<InputError>([&] { read_documents(piqa, scratch.path()); }),
              AllOf(HasSubstr("piqa"), HasSubstr("piqa.jsonl or piqa_validation.jsonl")));
  write_bytes(scratch.path() / "piqa_validation.jsonl", row + "\n" + row + "\n" + row + "\n");
  EXPECT_EQ(read_documents(piqa, scratch.path()).documents.size(), 3U);
  EXPECT_EQ(read_documents(piqa, scratch.path(), 2).documents.size(), 2U);
  write_bytes(scratch.path() / "piqa.jsonl", row);
  EXPECT_EQ(read_documents(piqa, scratch.path()).documents.size(), 1U);
  write_bytes(scratch.path() / "lambada.jsonl", R"({"text": "a b"})");
  EXPECT_EQ(read_documents(find_tasks("lambada").front(), scratch.path()).documents.size(), 1U);
}

TEST(TaskList, AMalformedRowIsNamedWithFileAndLine) {
  const test::Scratch scratch("task-list");
  const std::string row = R"({"goal": "g", "sol1": "a", "sol2": "b", "label": 0})";
  write_bytes(scratch.path() / "piqa.jsonl", row + "\n" + R"({"goal": "g", "sol1": "a"})" + "\n");
  EXPECT_THAT(
      thrown_by<InputError>([&] { read_documents(find_tasks("piqa").front(), scratch.path()); }),
      HasSubstr("piqa.jsonl: line 2: field 'sol2': expected a text, found no such field"));
}

TEST(TaskList, NotesAreSaidOnce) {
  const test::Scratch scratch("task-list");
  const std::string row = R"({"query": "q", "endings": ["a", "b"], "label": 0})";
  write_bytes(scratch.path() / "hellaswag.jsonl", row + "\n" + row + "\n");
  EXPECT_THAT(read_documents(find_tasks("hellaswag").front(), scratch.path()).notes,
              ElementsAre("hellaswag: rebuilt text"));
}

TEST(TaskList, WikitextIsReadFromARawFileOrFromPages) {
  const test::Scratch scratch("task-list");
  const Task wikitext = find_tasks("wikitext").front();
  write_bytes(scratch.path() / "wiki.test.raw", " = A = \n x\n = B = \n y\n = C = \n");
  EXPECT_EQ(read_documents(wikitext, scratch.path()).documents.size(), 3U);
  EXPECT_EQ(read_documents(wikitext, scratch.path(), 2).documents.size(), 2U);
  write_bytes(scratch.path() / "wikitext.jsonl", R"({"page": " = A = \n x"})");
  EXPECT_EQ(read_documents(wikitext, scratch.path()).documents.size(), 1U);
  write_bytes(scratch.path() / "wiki.test.raw", " = A = \n x \xC3\n");
  std::filesystem::remove(scratch.path() / "wikitext.jsonl");
  EXPECT_THAT(thrown_by<InputError>([&] { read_documents(wikitext, scratch.path()); }),
              HasSubstr("wiki.test.raw: line 2: byte 3 is not valid UTF-8"));
  const test::Scratch empty("task-list-empty");
  write_bytes(empty.path() / "wiki.test.raw", " \n");
  EXPECT_THAT(thrown_by<InputError>([&] { read_documents(wikitext, empty.path()); }),
              HasSubstr("the text is empty"));
}

TEST(TaskList, EveryTaskNamesItsFileSplitAndMetrics) {
  for (const Task& task : all_tasks()) {
    EXPECT_FALSE(task.file.empty()) << task.name;
    EXPECT_FALSE(task.split.empty()) << task.name;
    EXPECT_NE(task.from_row, nullptr) << task.name;
    EXPECT_FALSE(task.metrics.empty()) << task.name;
    for (const Metric metric : task.metrics) {
      EXPECT_TRUE(applies(metric, task.kind)) << task.name;
    }
  }
}

}  // namespace
}  // namespace btc
