// Prompts and metrics against values that the harness froze in its repository at v0.3.0
// (tests/testdata): a hash over all requests of shuffled documents, and the metrics that scores of
// a seeded generator get. docs/evaluation.md words the recipe.

#include <gtest/gtest.h>

#include <numeric>

#include "eval/python_text.hpp"
#include "eval/request_text.hpp"
#include "eval/task_list.hpp"
#include "eval/task_result.hpp"
#include "eval_golden.hpp"
#include "support/python_random.hpp"

namespace btc {
namespace {

using test::eval_golden;
using test::PythonRandom;

TEST(PythonRandomTest, GivesTheNumbersOfPython) {
  const nlohmann::json vectors = eval_golden()["python_random_vectors"];
  for (const auto& [seed, expected] : vectors.items()) {
    const auto number = static_cast<std::uint32_t>(std::stoul(seed));
    PythonRandom bits(number);
    for (const std::uint32_t value : expected["getrandbits32"]) {
      EXPECT_EQ(bits.bits32(), value);
    }
    PythonRandom integers(number);
    for (const std::uint32_t value : expected["randint_0_2822441"]) {
      EXPECT_EQ(integers.below(2822442), value);
    }
    PythonRandom reals(number);
    for (const double value : expected["random"]) {
      EXPECT_EQ(reals.real(), value);
    }
    std::vector<int> items = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9};
    PythonRandom(number).shuffle(items);
    EXPECT_EQ(items, expected["shuffle_range10"].get<std::vector<int>>());
  }
}

/// Requests of documents without ids: enough for metrics.
TaskRequests untokenized(const Task& task, const std::vector<Document>& documents) {
  TaskRequests result{.kind = task.kind, .metrics = task.metrics};
  result.requests.task = task.name;
  result.requests.doc_start = {0};
  for (const Document& document : documents) {
    for (const TextRequest& request : document.requests) {
      result.requests.ctx_len.push_back(0);
      result.requests.char_len.push_back(
          static_cast<std::int32_t>(code_points(choice_of(request))));
      result.requests.byte_len.push_back(static_cast<std::int32_t>(choice_of(request).size()));
    }
    result.requests.doc_start.push_back(static_cast<std::int64_t>(result.requests.ctx_len.size()));
    result.requests.gold.push_back(document.gold);
    result.doc_words.push_back(document.words);
    result.doc_bytes.push_back(document.bytes);
  }
  return result;
}

std::vector<RequestScore> seeded_scores(std::size_t count) {
  PythonRandom random(42);
  std::vector<RequestScore> scores(count);
  for (RequestScore& score : scores) {
    score.log_likelihood = -random.real();
  }
  return scores;
}

struct Frozen {
  std::string task;
  std::string entry;     ///< of the golden file
  std::string sha256{};  ///< of the requests, where it is not the entry's
  bool swapped = false;  ///< choices in the order of v0.3.0, the other way round
};

std::ostream& operator<<(std::ostream& out, const Frozen& frozen) { return out << frozen.task; }

class FrozenRequests : public ::testing::TestWithParam<Frozen> {
 protected:
  void SetUp() override {
    task_ = find_tasks(GetParam().task).front();
    const auto folder =
        test::shared_data() / (GetParam().task == "wikitext" ? "wikitext2" : "zeroshot");
    if (!std::filesystem::exists(folder)) {
      GTEST_SKIP() << "no folder " << folder;
    }
    documents_ = read_documents(task_, folder).documents;
    PythonRandom(42).shuffle(documents_);
    if (GetParam().swapped) {
      for (Document& document : documents_) {
        std::swap(document.requests[0], document.requests[1]);
        document.gold = 1 - document.gold;
      }
    }
    golden_ = eval_golden()["lm_eval_v030_golden"][GetParam().entry];
  }

  Task task_;
  std::vector<Document> documents_;
  nlohmann::json golden_;
};

TEST_P(FrozenRequests, HaveTheHashOfTheHarness) {
  const std::string expected =
      GetParam().sha256.empty() ? golden_["sha256"].get<std::string>() : GetParam().sha256;
  EXPECT_EQ(request_sha256(documents_, task_.kind == TaskKind::kRolling), expected);
}

TEST_P(FrozenRequests, GetTheMetricsOfTheHarness) {
  const TaskRequests requests = untokenized(task_, documents_);
  const TaskScore result = task_result(requests, seeded_scores(requests.requests.requests()));
  std::size_t compared = 0;
  for (const auto& [name, value] : golden_.items()) {
    if (value.is_number_float()) {
      const auto found = result.value(name);
      ASSERT_TRUE(found.has_value()) << name;
      EXPECT_NEAR(*found, value.get<double>(), 1e-12) << name;
      ++compared;
    }
  }
  EXPECT_GE(compared, 1U);
  if (task_.kind == TaskKind::kRolling) {
    const auto sum = [](const std::vector<std::int64_t>& v) {
      return std::accumulate(v.begin(), v.end(), std::int64_t{0});
    };
    EXPECT_EQ(sum(requests.doc_words), golden_["words"]);
    EXPECT_EQ(sum(requests.doc_bytes), golden_["bytes"]);
    EXPECT_EQ(documents_.size(), golden_["docs"]);
  }
}

INSTANTIATE_TEST_SUITE_P(
    Tasks, FrozenRequests,
    ::testing::Values(
        Frozen{"arc_easy", "arc_easy"}, Frozen{"arc_challenge", "arc_challenge"},
        Frozen{"piqa", "piqa"}, Frozen{"openbookqa", "openbookqa"},
        Frozen{"boolq", "boolq(v1, yes then no)", "", true}, Frozen{"rte", "rte"},
        Frozen{"winogrande", "winogrande"},
        // This file has lost white space of the original: its own hash, the same metrics.
        Frozen{"hellaswag", "hellaswag",
               "a95c505e4ace4e226883d240b7bc385bcd953833f4fd8993f41c27b88e36b13f"},
        Frozen{"wikitext", "wikitext(v1, rolling)"}),
    [](const auto& tested) { return tested.param.task; });

}  // namespace
}  // namespace btc
