#include "eval/score_requests.hpp"

#include <gmock/gmock.h>

#include <algorithm>
#include <limits>

#include "common/error.hpp"
#include "model/block_forward.hpp"
#include "model/checkpoint.hpp"
#include "support/made_requests.hpp"
#include "table_model.hpp"

namespace btc {
namespace {

using test::Choice;
using test::make_requests;
using test::TableModel;

constexpr double kTolerance = 1e-5;  // fp32 sums in another order

class ScoreRequests : public ::testing::Test {
 protected:
  void SetUp() override { configure_torch(1); }
};

/// One sequence at a time through all blocks.
RequestScore score_alone(const ModelSource& model, const Choice& choice) {
  std::vector<std::int32_t> ids = choice.context;
  ids.insert(ids.end(), choice.continuation.begin(), choice.continuation.end() - 1);
  Matrix<float> hidden = model.embed(ids);
  for (int b = 0; b < model.config().blocks; ++b) {
    hidden = BlockForward(model.config(), model.load_block(b)).run(hidden.view());
  }
  const auto scored = hidden.view().sub(choice.context.size() - 1, hidden.rows(), 0, hidden.cols());
  const HeadForward head(model);
  const Matrix<float> logits = head.logits(scored);
  const std::vector<double> losses = head.nll(scored, choice.continuation);
  RequestScore score = {0, true};
  for (std::size_t t = 0; t < losses.size(); ++t) {
    const auto row = logits.row(t);
    score.log_likelihood -= losses[t];
    score.greedy = score.greedy &&
                   std::max_element(row.begin(), row.end()) - row.begin() == choice.continuation[t];
  }
  return score;
}

void expect_near(const std::vector<RequestScore>& got, const std::vector<RequestScore>& expected) {
  ASSERT_EQ(got.size(), expected.size());
  for (std::size_t r = 0; r < got.size(); ++r) {
    EXPECT_NEAR(got[r].log_likelihood, expected[r].log_likelihood,
                kTolerance * std::max(1.0, std::abs(expected[r].log_likelihood)))
        << r;
    EXPECT_EQ(got[r].greedy, expected[r].greedy) << r;
  }
}

void expect_same_bits(const std::vector<RequestScore>& a, const std::vector<RequestScore>& b) {
  ASSERT_EQ(a.size(), b.size());
  for (std::size_t r = 0; r < a.size(); ++r) {
    EXPECT_EQ(a[r].log_likelihood, b[r].log_likelihood) << r;
    EXPECT_EQ(a[r].greedy, b[r].greedy) << r;
  }
}

TEST_F(ScoreRequests, SumsWhatTheTableSays) {
  const TableModel model(9);
  const std::int32_t best = model.likeliest(4);
  const TokenRequests requests = make_requests(
      {{{{1, 2, 3}, {5, 7}}, {{1, 2, 3}, {5}}}, {{{0, 4}, {best, model.likeliest(best)}}}});
  const auto scores = score_requests(model, requests, {});
  ASSERT_EQ(scores.size(), 3U);
  EXPECT_NEAR(scores[0].log_likelihood, -model.loss(3, 5) - model.loss(5, 7), kTolerance);
  EXPECT_NEAR(scores[1].log_likelihood, -model.loss(3, 5), kTolerance);
  EXPECT_NEAR(scores[2].log_likelihood,
              -model.loss(4, best) - model.loss(best, model.likeliest(best)), kTolerance);
  EXPECT_EQ(scores[1].greedy, model.likeliest(3) == 5);
  EXPECT_TRUE(scores[2].greedy);
}

TEST_F(ScoreRequests, AgreeWithEachSequenceByItself) {
  for (const char* name : {"llama_gqa_llama3", "llama_untied_bias", "qwen2_tied", "qwen3"}) {
    const auto model = Checkpoint::open(std::string(BTC_SOURCE_DIR "/tests/golden/models/") + name);
    const auto documents = test::random_documents(25, model->config().vocab_size, 11);
    std::vector<RequestScore> expected;
    for (const auto& document : documents) {
      for (const Choice& choice : document) {
        expected.push_back(score_alone(*model, choice));
      }
    }
    expect_near(score_requests(*model, make_requests(documents), {.batch_tokens = 100}), expected);
  }
}

class ScoresOfQwen : public ScoreRequests {
 protected:
  void SetUp() override {
    ScoreRequests::SetUp();
    model_ = Checkpoint::open(BTC_SOURCE_DIR "/tests/golden/models/qwen3");
    documents_ = test::random_documents(50, model_->config().vocab_size, 2);
    scores_ = score_requests(*model_, make_requests(documents_), {});
  }
  std::unique_ptr<Checkpoint> model_;
  std::vector<std::vector<Choice>> documents_;
  std::vector<RequestScore> scores_;
};

TEST_F(ScoresOfQwen, DoNotDependOnTheSizeOfBatches) {
  for (const std::size_t tokens : {1U, 37U, 400U}) {
    expect_near(score_requests(*model_, make_requests(documents_), {.batch_tokens = tokens}),
                scores_);
  }
}

TEST_F(ScoresOfQwen, DoNotDependOnTheOrderOfRequests) {
  std::reverse(documents_.begin(), documents_.end());
  for (auto& document : documents_) {
    std::reverse(document.begin(), document.end());
  }
  std::vector<RequestScore> scores = score_requests(*model_, make_requests(documents_), {});
  std::reverse(scores.begin(), scores.end());
  expect_same_bits(scores, scores_);
}

TEST_F(ScoresOfQwen, DoNotDependOnDuplicatesAndOtherRequests) {
  auto twice = documents_;
  twice.insert(twice.end(), documents_.begin(), documents_.end());
  std::vector<RequestScore> scores = score_requests(*model_, make_requests(twice), {});
  ASSERT_EQ(scores.size(), 2 * scores_.size());
  expect_same_bits({scores.begin() + static_cast<std::ptrdiff_t>(scores_.size()), scores.end()},
                   scores_);
  const auto first = score_requests(*model_, make_requests({documents_.front()}), {});
  expect_near(first,
              {scores_.begin(), scores_.begin() + static_cast<std::ptrdiff_t>(first.size())});
}

TEST_F(ScoresOfQwen, AreTheSameBitsWhicheverBlocksStay) {
  const TokenRequests requests = make_requests(documents_);
  const ScorePlan plan = plan_scores(requests, {.batch_tokens = 200}, model_->config().vocab_size);
  const auto of = [&](std::uint64_t resident_bytes, std::size_t part_tokens) {
    Scorer scorer(*model_, {}, resident_bytes);
    std::vector<RequestScore> scores(requests.requests());
    const auto starts = part_batches(plan.batches, part_tokens);
    for (std::size_t p = 0; p + 1 < starts.size(); ++p) {
      const auto part = std::span(plan.batches).subspan(starts[p], starts[p + 1] - starts[p]);
      for (const ScoredRequest& scored : scorer.run(part)) {
        scores[scored.request] = scored.score;
      }
    }
    return scores;
  };
  const std::uint64_t all = std::numeric_limits<std::uint64_t>::max();
  const auto kept = of(all, 1);
  expect_same_bits(of(0, 1), kept);
  expect_same_bits(of(0, 500), kept);
  expect_same_bits(of(linear_weight_count(model_->config()) * 4 / 2, 300), kept);
}

TEST_F(ScoreRequests, ReadsABlockOnceIfItStaysAndOncePerPartIfNot) {
  const TableModel model(9);
  const auto documents = test::random_documents(20, 9, 4);
  const ScorePlan plan = plan_scores(make_requests(documents), {.batch_tokens = 20}, 9);
  ASSERT_GT(plan.batches.size(), 4U);
  const std::span<const ScoreBatch> batches = plan.batches;
  Scorer streaming(model, {}, 0);
  (void)streaming.run(batches.first(3));
  (void)streaming.run(batches.subspan(3));
  EXPECT_EQ(model.loads, 2 * 2);
  model.loads = 0;
  Scorer keeping(model, {}, std::numeric_limits<std::uint64_t>::max());
  (void)keeping.run(batches.first(3));
  (void)keeping.run(batches.subspan(3));
  EXPECT_EQ(model.loads, 2);
}

}  // namespace
}  // namespace btc
