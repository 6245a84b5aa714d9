#include "pipeline/score_tasks.hpp"

#include <gmock/gmock.h>

#include <filesystem>
#include <fstream>

#include "common/error.hpp"
#include "eval/score_requests.hpp"
#include "model/block_forward.hpp"
#include "model/checkpoint.hpp"
#include "support/made_requests.hpp"
#include "support/shared_scratch.hpp"

namespace btc {
namespace {

namespace fs = std::filesystem;

/// Two tasks on a small model, whatever the number of ranks.
class ScoreTasks : public ::testing::Test {
 protected:
  void SetUp() override {
    configure_torch(1);
    model_ = Checkpoint::open(BTC_SOURCE_DIR "/tests/golden/models/qwen3");
    first_ = test::make_requests(test::random_documents(40, vocab(), 1));
    first_.task = "first";
    second_ = test::make_requests(test::random_documents(15, vocab(), 2));
    second_.task = "second";
  }

  [[nodiscard]] std::size_t vocab() const { return model_->config().vocab_size; }

  std::vector<std::vector<RequestScore>> score(const std::string& fingerprint = "model") {
    const UnitStore store(scratch_.path() / "state", ResumeVerify::kSize);
    StopRequest stop({}, std::nullopt);
    StageRunner runner(comm_, store, stop);
    const EvaluationSubject subject = {Subject::kOriginal, fingerprint,
                                       [&]() -> const ModelSource& {
                                         ++opened_;
                                         return *model_;
                                       }};
    computed_ = 0;
    return score_tasks(runner, subject, {&first_, &second_}, model_->config(), params_, {},
                       computed_);
  }

  /// The same without ranks and units.
  [[nodiscard]] std::vector<RequestScore> expected(const TokenRequests& requests) const {
    return score_requests(*model_, requests, params_.batches);
  }

  [[nodiscard]] std::vector<fs::path> records() const {
    std::vector<fs::path> files;
    for (const auto& entry : fs::recursive_directory_iterator(scratch_.path())) {
      if (entry.is_regular_file()) {
        files.push_back(entry.path());
      }
    }
    std::sort(files.begin(), files.end());
    return files;
  }

  const Communicator comm_ = Communicator::world();
  const test::SharedScratch scratch_{"score-tasks"};
  std::unique_ptr<Checkpoint> model_;
  TokenRequests first_, second_;
  ScoringParams params_ = {.batches = {.batch_tokens = 60, .max_length = 64},
                           .tokens_in_memory = 100};
  std::size_t computed_ = 0;
  int opened_ = 0;
};

void expect_same_bits(const std::vector<RequestScore>& a, const std::vector<RequestScore>& b) {
  ASSERT_EQ(a.size(), b.size());
  for (std::size_t r = 0; r < a.size(); ++r) {
    EXPECT_EQ(a[r].log_likelihood, b[r].log_likelihood) << r;
    EXPECT_EQ(a[r].greedy, b[r].greedy) << r;
  }
}

TEST_F(ScoreTasks, GiveTheSameBitsOnAnyNumberOfRanks) {
  const auto scores = score();
  ASSERT_EQ(scores.size(), 2U);
  expect_same_bits(scores[0], expected(first_));
  expect_same_bits(scores[1], expected(second_));
  EXPECT_GT(computed_, 4U);
}

TEST_F(ScoreTasks, FinishedPartsAreNotDoneAgain) {
  const auto before = score();
  const std::size_t all = computed_;
  const auto again = score();
  EXPECT_EQ(computed_, 0U);
  EXPECT_EQ(opened_, 1);
  expect_same_bits(again[0], before[0]);
  comm_.barrier();
  const std::vector<fs::path> files = records();
  ASSERT_EQ(files.size(), all);
  comm_.barrier();
  if (comm_.rank() == 0) {  // what a start that was killed leaves: some records
    fs::remove(files.front());
    fs::remove(files.back());
    std::ofstream(files[1], std::ios::trunc) << "{";
  }
  comm_.barrier();
  const auto mended = score();
  EXPECT_EQ(computed_, 3U);
  expect_same_bits(mended[0], before[0]);
  expect_same_bits(mended[1], before[1]);
}

TEST_F(ScoreTasks, AnotherModelOrAnotherRequestIsScoredAnew) {
  (void)score();
  const std::size_t all = computed_;
  (void)score("another model");
  EXPECT_EQ(computed_, all);
  first_.tokens.back() = (first_.tokens.back() + 1) % static_cast<std::int32_t>(vocab());
  const auto scores = score("another model");
  EXPECT_GT(computed_, 0U);
  EXPECT_LT(computed_, all) << "the other task is as it was";
  expect_same_bits(scores[0], expected(first_));
}

TEST_F(ScoreTasks, RequestsForAnotherVocabularyAreRefusedOnEveryRank) {
  second_.tokens[3] = static_cast<std::int32_t>(vocab());
  try {
    (void)score();
    FAIL() << "accepted";
  } catch (const StageFailed& error) {
    EXPECT_TRUE(error.user_error());
    EXPECT_THAT(error.what(), ::testing::HasSubstr("another tokenizer"));
  }
}

}  // namespace
}  // namespace btc
