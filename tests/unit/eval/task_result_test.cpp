#include "eval/task_result.hpp"

#include <gmock/gmock.h>

#include <cmath>
#include <limits>

#include "common/error.hpp"
#include "eval/task_comparison.hpp"
#include "eval_golden.hpp"
#include "support/thrown_by.hpp"

namespace btc {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Pair;

/// A task of documents with so many choices each.
TaskRequests choices(const std::vector<std::int32_t>& golds, std::size_t per_document) {
  TaskRequests task{.metrics = length_normalized_metrics()};
  TokenRequests& requests = task.requests;
  requests.task = "piqa";
  requests.offset = {0};
  requests.doc_start = {0};
  for (const std::int32_t gold : golds) {
    for (std::size_t c = 0; c < per_document; ++c) {
      requests.tokens.insert(requests.tokens.end(), {1, 2, 3});
      requests.offset.push_back(static_cast<std::int64_t>(requests.tokens.size()));
      requests.ctx_len.push_back(2);
      requests.char_len.push_back(1);
      requests.byte_len.push_back(1);
    }
    requests.doc_start.push_back(static_cast<std::int64_t>(requests.ctx_len.size()));
    requests.gold.push_back(gold);
  }
  return task;
}

std::vector<RequestScore> scores_of(const std::vector<double>& values) {
  std::vector<RequestScore> scores;
  for (const double value : values) {
    scores.push_back({value, false});
  }
  return scores;
}

TEST(RightDocuments, TheFirstMaximumWins) {
  const TaskRequests task = choices({0, 1, 2}, 3);
  EXPECT_THAT(right_documents(task, scores_of({-1, -1, -1, -2, -1, -1, -3, -2, -1}), Metric::kAcc),
              ElementsAre(1, 1, 1));
  EXPECT_THAT(right_documents(task, scores_of({-2, -1, -1, -1, -1, -3, -1, -2, -1}), Metric::kAcc),
              ElementsAre(0, 0, 0));
}

TEST(RightDocuments, LengthsAreCodePointsOrBytes) {
  TaskRequests task = choices({1}, 2);
  // "abc" and "ab" with three accents: 3 code points against 5, but 3 bytes against 8.
  task.requests.char_len = {3, 5};
  task.requests.byte_len = {3, 8};
  const auto right = [&](double first, double second, Metric metric) {
    return right_documents(task, scores_of({first, second}), metric)[0];
  };
  EXPECT_EQ(right(-3, -4, Metric::kAcc), 0);
  EXPECT_EQ(right(-3, -4, Metric::kAccNorm), 1);   // -1 against -0.8
  EXPECT_EQ(right(-3, -6, Metric::kAccNorm), 0);   // -1 against -1.2
  EXPECT_EQ(right(-3, -6, Metric::kAccBytes), 1);  // -1 against -0.75
}

TEST(RightDocuments, AnEmptyChoiceNeverWinsByLength) {
  TaskRequests task = choices({1}, 2);
  task.requests.char_len = {0, 4};
  EXPECT_EQ(right_documents(task, scores_of({-0.1, -9}), Metric::kAccNorm)[0], 1);
  EXPECT_EQ(right_documents(task, scores_of({0, -9}), Metric::kAccNorm)[0], 1);
}

TEST(RightDocuments, OfLikelihoodTasksAreGreedy) {
  TaskRequests task = choices({0, 0}, 1);
  task.kind = TaskKind::kLikelihood;
  const std::vector<RequestScore> scores = {{-5, true}, {-0.1, false}};
  EXPECT_THAT(right_documents(task, scores, Metric::kAcc), ElementsAre(1, 0));
}

TEST(TaskResultTest, HasTheHarnessesKeysAndSampleErrors) {
  const TaskRequests task = choices({0, 0, 1, 1}, 2);
  const TaskScore result = task_result(task, scores_of({-1, -2, -1, -2, -2, -1, -1, -2}));
  // 3 of 4: variance 0.25 with n - 1, over 4.
  const double error = std::sqrt(0.25) / 2;
  EXPECT_THAT(result.metrics,
              ElementsAre(Pair("acc,none", 0.75), Pair("acc_stderr,none", error),
                          Pair("acc_norm,none", 0.75), Pair("acc_norm_stderr,none", error),
                          Pair("acc_bytes,none", 0.75), Pair("acc_bytes_stderr,none", error)));
  EXPECT_EQ(result.documents, 4U);
  EXPECT_EQ(result.requests, 8U);
  EXPECT_EQ(result.scored_tokens, 8U);
  EXPECT_EQ(result.floor, 0.5);
  EXPECT_TRUE(result.at_floor);  // 0.75 is one error of 0.25 above
  EXPECT_EQ(main_accuracy(result), 0.75);
}

TEST(TaskResultTest, OneDocumentHasNoError) {
  const TaskScore result = task_result(choices({1}, 2), scores_of({-2, -1}));
  EXPECT_EQ(result.value("acc"), 1.0);
  EXPECT_FALSE(result.value("acc_stderr").has_value());
}

TEST(TaskResultTest, FloorIsTheBestConstantAnswerAndFlagsScoresNearIt) {
  std::vector<std::int32_t> golds(100, 0);
  std::fill(golds.begin() + 60, golds.end(), 1);
  const TaskRequests task = choices(golds, 2);
  const auto result = [&](std::size_t right) {
    std::vector<double> values;
    for (std::size_t d = 0; d < golds.size(); ++d) {
      const bool first = (golds[d] == 0) == (d < right);
      values.insert(values.end(), {first ? -1.0 : -2.0, first ? -2.0 : -1.0});
    }
    return task_result(task, scores_of(values));
  };
  EXPECT_EQ(result(60).floor, 0.6);
  EXPECT_TRUE(result(60).at_floor);
  EXPECT_TRUE(result(64).at_floor);  // the error is 0.048
  EXPECT_FALSE(result(66).at_floor);
  EXPECT_TRUE(result(40).at_floor);
}

TEST(TaskResultTest, LikelihoodTasksHavePerplexityAndGreedyAccuracy) {
  TaskRequests task = choices({0, 0}, 1);
  task.kind = TaskKind::kLikelihood;
  task.metrics = {Metric::kPerplexity, Metric::kAcc};
  const std::vector<RequestScore> scores = {{-1, true}, {-3, false}};
  const TaskScore result = task_result(task, scores);
  EXPECT_DOUBLE_EQ(result.value("perplexity").value(), std::exp(2.0));
  // The error of the mean is 1.
  EXPECT_DOUBLE_EQ(result.value("perplexity_stderr").value(), std::exp(2.0));
  EXPECT_EQ(result.value("acc"), 0.5);
  EXPECT_FALSE(result.floor.has_value());
  EXPECT_FALSE(result.at_floor);
}

TEST(TaskResultTest, RollingTasksDivideByWordsAndBytesOfAllDocuments) {
  TaskRequests task = choices({0, 0}, 2);
  task.kind = TaskKind::kRolling;
  task.metrics = {Metric::kWordPerplexity, Metric::kBytePerplexity, Metric::kBitsPerByte};
  task.doc_words = {3, 5};
  task.doc_bytes = {20, 12};
  const TaskScore result = task_result(task, scores_of({-1, -2, -4, -9}));
  EXPECT_DOUBLE_EQ(result.value("word_perplexity").value(), std::exp(2.0));
  EXPECT_DOUBLE_EQ(result.value("byte_perplexity").value(), std::exp(0.5));
  EXPECT_DOUBLE_EQ(result.value("bits_per_byte").value(), 0.5 / std::log(2.0));
  EXPECT_FALSE(main_accuracy(result).has_value());
}

TEST(TaskResultTest, NotesAndProtocolComeAlong) {
  TaskRequests task = choices({0}, 2);
  task.notes = {"hellaswag: rebuilt text"};
  task.add_bos = true;
  task.limit = 1;
  task.version = 2;
  const TaskScore result = task_result(task, scores_of({-1, -2}));
  EXPECT_THAT(result.notes, ElementsAre("hellaswag: rebuilt text"));
  EXPECT_TRUE(result.add_bos);
  EXPECT_EQ(result.limit, 1);
  EXPECT_EQ(result.version, 2);
}

TEST(TaskResultTest, NotANumberIsRefusedAndMinusInfinityIsAScore) {
  const double nan = std::numeric_limits<double>::quiet_NaN();
  const double infinity = std::numeric_limits<double>::infinity();
  EXPECT_THAT(test::thrown_by<NumericError>([&] {
                task_result(choices({0}, 2), scores_of({-1, nan}));
              }),
              HasSubstr("piqa: request 1"));
  EXPECT_EQ(task_result(choices({1}, 2), scores_of({-infinity, -900})).value("acc"), 1.0);
}

TEST(SetAverageTest, RoundsTaskByTaskAsThePapersDo) {
  const TaskSet set = task_sets().front();
  const std::vector<double> percent = {68.67, 44.2, 75.93, 77.86, 74.62, 46.25, 63.54};
  std::vector<TaskScore> results;
  for (std::size_t t = 0; t < set.tasks.size(); ++t) {
    TaskScore result{.task = std::string(set.tasks[t])};
    // The tasks with acc_norm are averaged by it.
    result.metrics = {{"acc,none", 0.0}};
    (t % 2 == 0 ? result.metrics[0].second
                : result.metrics.emplace_back("acc_norm,none", 0.0).second) =
        percent[t] / 100 + 0.00004;
    results.push_back(result);
  }
  const auto average = set_average(set, results);
  ASSERT_TRUE(average.has_value());
  EXPECT_NEAR(average->average, 0.64438571 + 0.00004, 1e-8);
  EXPECT_DOUBLE_EQ(average->average_rounded, 0.6444);
  results.pop_back();
  EXPECT_FALSE(set_average(set, results).has_value());
}

TEST(PairedComparisonTest, CountsDocumentsWonAndLost) {
  const TaskRequests task = choices({0, 0, 0, 0, 0}, 2);
  const auto first = scores_of({-1, -2, -1, -2, -2, -1, -2, -1, -1, -2});
  const auto second = scores_of({-1, -2, -2, -1, -1, -2, -2, -1, -2, -1});
  const PairedComparison result = compare_paired(task, first, second, Metric::kAcc);
  EXPECT_EQ(result.both, 1U);
  EXPECT_EQ(result.won, 1U);
  EXPECT_EQ(result.lost, 2U);
  EXPECT_EQ(result.neither, 1U);
  EXPECT_DOUBLE_EQ(result.difference, -0.2);
  // Changes 0, -1, 1, 0, -1: squares about the mean 2.8, over n - 1 and n.
  EXPECT_DOUBLE_EQ(result.standard_error.value(), std::sqrt(2.8 / 4 / 5));
  EXPECT_EQ(compare_paired(task, first, first, Metric::kAccNorm).standard_error, 0.0);
}

// Best constant answers in percent, see docs/evaluation.md.
TEST(TaskResultTest, FloorsOfThePublicFiles) {
  const std::vector<std::pair<std::string, double>> floors = {
      {"boolq", 62.17},     {"rte", 52.71},      {"winogrande", 50.43},    {"piqa", 50.49},
      {"openbookqa", 27.6}, {"arc_easy", 26.64}, {"arc_challenge", 26.54}, {"hellaswag", 25.73}};
  const auto folder = test::shared_data() / "zeroshot";
  if (!std::filesystem::exists(folder)) {
    GTEST_SKIP() << "no folder " << folder;
  }
  for (const auto& [name, percent] : floors) {
    std::vector<std::int32_t> golds;
    for (const Document& document : read_documents(find_tasks(name).front(), folder).documents) {
      golds.push_back(document.gold);
    }
    const TaskRequests task = choices(golds, 5);
    const TaskScore result = task_result(task, std::vector<RequestScore>(task.requests.requests()));
    EXPECT_NEAR(result.floor.value() * 100, percent, 0.005) << name;
  }
}

}  // namespace
}  // namespace btc
