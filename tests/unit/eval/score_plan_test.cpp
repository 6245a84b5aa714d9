#include "eval/score_plan.hpp"

#include <gmock/gmock.h>

#include <map>
#include <set>

#include "common/error.hpp"
#include "support/made_requests.hpp"
#include "support/thrown_by.hpp"

namespace btc {
namespace {

using test::Choice;
using test::make_requests;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

constexpr std::size_t kVocab = 50;

std::vector<std::int32_t> ids(std::size_t count, std::int32_t first) {
  std::vector<std::int32_t> values(count);
  for (std::size_t i = 0; i < count; ++i) {
    values[i] = (first + static_cast<std::int32_t>(i)) % static_cast<std::int32_t>(kVocab);
  }
  return values;
}

/// The ids from the root to a token of the forest.
std::vector<std::int32_t> path_to(const TokenForest& forest, std::int64_t token) {
  std::vector<std::int32_t> path;
  for (auto t = static_cast<std::int32_t>(token); t != TokenForest::kRoot;
       t = forest.parent[static_cast<std::size_t>(t)]) {
    path.insert(path.begin(), forest.ids[static_cast<std::size_t>(t)]);
  }
  return path;
}

/// What each request asks: for each id of its continuation, the ids that the model has seen.
using Asked = std::vector<std::pair<std::vector<std::int32_t>, std::int32_t>>;
std::map<std::size_t, Asked> asked(const ScorePlan& plan) {
  std::map<std::size_t, Asked> all;
  for (const ScoreBatch& batch : plan.batches) {
    EXPECT_TRUE(std::is_sorted(batch.rows.begin(), batch.rows.end()));
    for (const RequestTargets& of : batch.requests) {
      EXPECT_EQ(all.count(of.request), 0U) << "scored twice";
      for (std::size_t t = of.first; t < of.end; ++t) {
        const HeadTarget& target = batch.targets[t];
        all[of.request].push_back(
            {path_to(batch.forest, batch.rows[static_cast<std::size_t>(target.row)]), target.id});
      }
    }
  }
  return all;
}

TEST(ScorePlan, EachIdOfAContinuationIsAskedBehindAllBeforeIt) {
  const auto documents = test::random_documents(40, kVocab, 7);
  const TokenRequests requests = make_requests(documents);
  const auto all = asked(plan_scores(requests, {.batch_tokens = 64}, kVocab));
  ASSERT_EQ(all.size(), requests.requests());
  std::size_t r = 0;
  for (const auto& document : documents) {
    for (const Choice& choice : document) {
      Asked expected;
      std::vector<std::int32_t> seen = choice.context;
      for (const std::int32_t id : choice.continuation) {
        expected.push_back({seen, id});
        seen.push_back(id);
      }
      EXPECT_EQ(all.at(r), expected) << r;
      ++r;
    }
  }
}

TEST(ScorePlan, ContinuationsOfOneIdShareOneForward) {
  const std::vector<std::int32_t> context = ids(9, 3);
  const TokenRequests requests =
      make_requests({{{context, {1}}, {context, {2}}}, {{context, {1}}}});
  const ScorePlan plan = plan_scores(requests, {}, kVocab);
  EXPECT_EQ(plan.forwards, 1U);
  EXPECT_EQ(plan.input_tokens, 9U);
  EXPECT_EQ(plan.run_tokens, 9U);
  ASSERT_EQ(plan.batches.size(), 1U);
  EXPECT_THAT(plan.batches[0].rows, ElementsAre(8));
  EXPECT_EQ(plan.batches[0].targets.size(), 3U);
}

TEST(ScorePlan, ChoicesShareTheirContext) {
  const std::vector<std::int32_t> context = ids(20, 0);
  const TokenRequests requests =
      make_requests({{{context, {30, 31, 32}}, {context, {40, 41}}, {context, {30, 45}}}});
  const ScorePlan plan = plan_scores(requests, {}, kVocab);
  EXPECT_EQ(plan.forwards, 3U);
  EXPECT_EQ(plan.input_tokens, 22U + 21U + 21U);
  // 20 of the context, [30, 31] and [40]; the input ... 30 of the third ends on a branch.
  EXPECT_EQ(plan.run_tokens, 20U + 2U + 1U);
  EXPECT_EQ(plan.batches[0].forest.trees(), 1U);
}

TEST(ScorePlan, UnrelatedInputsAreTreesOfTheirOwnLongestFirst) {
  const TokenRequests requests = make_requests(
      {{{ids(5, 20), {1}}}, {{ids(30, 0), {1}}}, {{ids(12, 10), {1}}}, {{ids(12, 5), {1}}}});
  const ScorePlan plan = plan_scores(requests, {}, kVocab);
  ASSERT_EQ(plan.batches.size(), 1U);
  EXPECT_THAT(plan.batches[0].forest.tree_start, ElementsAre(0, 30, 42, 54, 59));
  EXPECT_EQ(plan.batches[0].forest.ids[30], 5) << "equal lengths by their ids";
  EXPECT_EQ(plan.run_tokens, plan.input_tokens);
}

TEST(ScorePlan, BatchesHoldAtMostTheirTokensUnlessOneTreeIsLonger) {
  const TokenRequests requests = make_requests(test::random_documents(60, kVocab, 3));
  const ScorePlan plan = plan_scores(requests, {.batch_tokens = 30}, kVocab);
  std::uint64_t tokens = 0;
  for (const ScoreBatch& batch : plan.batches) {
    EXPECT_TRUE(batch.forest.tokens() <= 30 || batch.forest.trees() == 1);
    tokens += batch.forest.tokens();
  }
  EXPECT_EQ(tokens, plan.run_tokens);
  EXPECT_LT(plan.run_tokens, plan.input_tokens);
}

TEST(ScorePlan, ALongInputLosesItsFirstIds) {
  const TokenRequests requests = make_requests({{{ids(10, 0), {20, 21}}, {ids(3, 0), {20}}}});
  const ScorePlan plan = plan_scores(requests, {.max_length = 4}, kVocab);
  const auto all = asked(plan);
  // Of 0 1 .. 9 20 the last four are the input: 7 8 9 20.
  EXPECT_EQ(all.at(0), (Asked{{{7, 8, 9}, 20}, {{7, 8, 9, 20}, 21}}));
  EXPECT_EQ(all.at(1), (Asked{{{0, 1, 2}, 20}}));
}

TEST(ScorePlan, RequestsInAnotherOrderMakeTheSameBatches) {
  auto documents = test::random_documents(30, kVocab, 5);
  const ScorePlan plan = plan_scores(make_requests(documents), {.batch_tokens = 50}, kVocab);
  std::reverse(documents.begin(), documents.end());
  const ScorePlan other = plan_scores(make_requests(documents), {.batch_tokens = 50}, kVocab);
  ASSERT_EQ(plan.batches.size(), other.batches.size());
  for (std::size_t b = 0; b < plan.batches.size(); ++b) {
    EXPECT_EQ(plan.batches[b].forest.ids, other.batches[b].forest.ids);
    EXPECT_EQ(plan.batches[b].forest.parent, other.batches[b].forest.parent);
    EXPECT_EQ(plan.batches[b].rows, other.batches[b].rows);
  }
}

TEST(ScorePlan, RefusesWhatCannotBeScoredByName) {
  const auto message = [](const TokenRequests& requests, std::size_t max_length) {
    return test::thrown_by<InputError>(
        [&] { (void)plan_scores(requests, {.max_length = max_length}, kVocab); });
  };
  EXPECT_THAT(message(make_requests({{{ids(3, 0), {1}}, {ids(3, 0), {50}}}}), 100),
              AllOf(HasSubstr("made: request 1"), HasSubstr("id 50"), HasSubstr("0 to 49"),
                    HasSubstr("another tokenizer")));
  EXPECT_THAT(message(make_requests({{{ids(3, 0), {}}}}), 100), HasSubstr("made: request 0"));
  EXPECT_THAT(message(make_requests({{{{}, {4, 5}}}}), 100), HasSubstr("made: request 0"));
  EXPECT_THAT(message(make_requests({{{ids(3, 0), {4, 5, 6}}}}), 2),
              HasSubstr("continuation of 3 ids, expected at most 2"));
}

TEST(ScorePlan, PartsAreConsecutiveBatches) {
  const TokenRequests requests = make_requests(test::random_documents(60, kVocab, 3));
  const ScorePlan plan = plan_scores(requests, {.batch_tokens = 30}, kVocab);
  const std::vector<std::size_t> starts = part_batches(plan.batches, 100);
  EXPECT_EQ(starts.front(), 0U);
  EXPECT_EQ(starts.back(), plan.batches.size());
  ASSERT_GT(starts.size(), 3U);
  for (std::size_t p = 0; p + 1 < starts.size(); ++p) {
    std::size_t tokens = 0;
    for (std::size_t b = starts[p]; b < starts[p + 1]; ++b) {
      tokens += plan.batches[b].forest.tokens();
    }
    EXPECT_TRUE(tokens >= 100 || p + 2 == starts.size());
    EXPECT_LT(tokens, 130 + plan.batches.front().forest.tokens());
  }
  EXPECT_THAT(part_batches({}, 100), ElementsAre(0)) << "no part";
}

}  // namespace
}  // namespace btc
