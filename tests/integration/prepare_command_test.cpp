/// Tasks and texts through `btc prepare`.

#include <gmock/gmock.h>

#include "eval/request_file.hpp"
#include "support/pipeline_run.hpp"
#include "support/process.hpp"
#include "support/scratch.hpp"

namespace btc::test {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

class PrepareCommand : public ::testing::Test {
 protected:
  void SetUp() override {
    write_bytes(
        scratch_.path() / "piqa.jsonl",
        R"({"goal": "Boil water.", "sol1": "Use a kettle.", "sol2": "Use a hat.", "label": 0})"
        "\n"
        R"({"goal": "Cut bread.", "sol1": "Use a song.", "sol2": "Use a knife.", "label": 1})"
        "\n");
    write_bytes(scratch_.path() / "wiki.test.raw", " = A = \n Some words . \n = B = \n More . \n");
  }
  [[nodiscard]] ProcessResult run(const std::vector<std::string>& more) const {
    std::vector<std::string> command = {program("btc"), "prepare", "--model",
                                        model_,         "--out",   out_.string()};
    command.insert(command.end(), more.begin(), more.end());
    return run_process(command);
  }

  Scratch scratch_{"prepare-command"};
  std::string data_ = scratch_.path().string();
  std::string model_ = BTC_SOURCE_DIR "/examples/wiki-llama-7m";
  std::filesystem::path out_ = scratch_.path() / "out.h5";
};

TEST_F(PrepareCommand, TasksBecomeRequestsOfTheModel) {
  const ProcessResult result =
      run({"--tasks", "piqa,wikitext", "--data", data_, "--add-bos", "true", "--max-length", "64"});
  ASSERT_EQ(result.exit_code, 0) << result.text();
  EXPECT_THAT(result.out, AllOf(HasSubstr("2 tasks"), HasSubstr("piqa: 2 documents, 4 requests"),
                                HasSubstr("wikitext: 2 documents, 2 windows")));
  const RequestFile file = read_requests(out_, 4096);
  ASSERT_EQ(file.tasks.size(), 2U);
  EXPECT_EQ(file.max_length, 64U);
  EXPECT_EQ(file.bos_id, 1);
  const TokenRequests& piqa = file.tasks[0].requests;
  EXPECT_TRUE(file.tasks[0].add_bos);
  EXPECT_EQ(piqa.tokens[0], 1);
  EXPECT_EQ(piqa.gold, (std::vector<std::int32_t>{0, 1}));
  EXPECT_EQ(piqa.char_len[1], 10);
}

TEST_F(PrepareCommand, TheBosIsLeftOutAndDocumentsLimitedAsAsked) {
  const ProcessResult result =
      run({"--tasks", "piqa", "--data", data_, "--add-bos", "false", "--limit", "1"});
  ASSERT_EQ(result.exit_code, 0) << result.text();
  const RequestFile file = read_requests(out_, 4096);
  EXPECT_EQ(file.tasks[0].requests.documents(), 1U);
  EXPECT_EQ(file.tasks[0].limit, 1);
  EXPECT_FALSE(file.tasks[0].add_bos);
  EXPECT_NE(file.tasks[0].requests.tokens[0], 1);
}

TEST_F(PrepareCommand, ATextIsStillATokenFile) {
  const ProcessResult result = run({"--text", data_ + "/wiki.test.raw"});
  ASSERT_EQ(result.exit_code, 0) << result.text();
  EXPECT_THAT(result.out, HasSubstr("wikitext text, BOS at the start: yes"));
}

TEST_F(PrepareCommand, MistakesAreExplainedAndLeaveNoFile) {
  const auto refused = [&](const std::vector<std::string>& arguments) {
    const ProcessResult result = run(arguments);
    EXPECT_EQ(result.exit_code, 2) << result.text();
    EXPECT_FALSE(std::filesystem::exists(out_));
    return result.err;
  };
  EXPECT_THAT(refused({}), HasSubstr("either --text or --tasks"));
  EXPECT_THAT(refused({"--tasks", "piqa"}), HasSubstr("--tasks and --data belong together"));
  EXPECT_THAT(refused({"--tasks", "mmlu", "--data", data_}),
              HasSubstr("unknown task 'mmlu', expected btc7"));
  EXPECT_THAT(refused({"--tasks", "rte", "--data", data_}),
              HasSubstr("rte.jsonl or rte_validation.jsonl"));
  EXPECT_THAT(refused({"--tasks", "piqa", "--data", data_, "--add-bos", "maybe"}),
              HasSubstr("--add-bos"));
  write_bytes(scratch_.path() / "piqa.jsonl", "{\"goal\": \"x\"}\n");
  EXPECT_THAT(refused({"--tasks", "piqa", "--data", data_, "--limit", "-1"}),
              HasSubstr("--limit: got '-1', expected a whole number of at least 0"));
  EXPECT_THAT(refused({"--tasks", "piqa", "--data", data_}),
              HasSubstr("piqa.jsonl: line 1: field 'sol1': expected a text"));
}

}  // namespace
}  // namespace btc::test
