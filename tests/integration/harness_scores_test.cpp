/// Scores of lm-evaluation-harness over transformers, recorded by tests/parity/run.sh --record,
/// against ours: the same model, the same rows, request by request.

#include <gmock/gmock.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "common/hash.hpp"
#include "eval/encode_requests.hpp"
#include "eval/score_requests.hpp"
#include "eval/special_ids.hpp"
#include "eval/task_list.hpp"
#include "eval/task_result.hpp"
#include "io/atomic_file.hpp"
#include "model/block_forward.hpp"
#include "model/checkpoint.hpp"
#include "tokenizer/tokenizer.hpp"

namespace btc {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

constexpr const char* kGolden = BTC_SOURCE_DIR "/tests/golden/parity/wiki-llama-7m.json";
constexpr const char* kData = BTC_SOURCE_DIR "/../shared/data";
/// Of a log-likelihood, in nats; golden values are rounded to 1e-4.
constexpr double kTolerance = 1e-3;
/// The harness adds up a window of a rolling text in fp32; this much of one may miss kTolerance.
constexpr double kNatsOfAWindow = 2000;

const json& golden() {
  static const json kParsed = json::parse(read_text_file(kGolden));
  return kParsed;
}

fs::path model_directory() {
  return fs::path(BTC_SOURCE_DIR) / golden().at("model").get<std::string>();
}

/// The recorded documents of a task, in their order.
TaskDocuments recorded_documents(const Task& task, const json& recorded) {
  const TaskDocuments all =
      read_documents(task, fs::path(kData) / (task.name == "wikitext" ? "wikitext2" : "zeroshot"));
  TaskDocuments chosen;
  for (const std::size_t number : recorded.at("documents").get<std::vector<std::size_t>>()) {
    chosen.documents.push_back(all.documents.at(number));
  }
  return chosen;
}

/// What one document's requests got; a rolling text's windows count as one request.
struct DocumentScores {
  std::vector<double> log_likelihood;
  std::string greedy;
};

std::vector<DocumentScores> by_document(const TaskRequests& task,
                                        const std::vector<RequestScore>& scores) {
  std::vector<DocumentScores> documents(task.requests.documents());
  for (std::size_t d = 0; d < documents.size(); ++d) {
    DocumentScores& document = documents[d];
    const auto begin = static_cast<std::size_t>(task.requests.doc_start[d]);
    const auto end = static_cast<std::size_t>(task.requests.doc_start[d + 1]);
    for (std::size_t r = begin; r < end; ++r) {
      if (task.kind == TaskKind::kRolling && r > begin) {
        document.log_likelihood.back() += scores[r].log_likelihood;
        continue;
      }
      document.log_likelihood.push_back(scores[r].log_likelihood);
      document.greedy += scores[r].greedy ? '1' : '0';
    }
  }
  return documents;
}

void expect_scores(const std::vector<DocumentScores>& found, const TaskRequests& task,
                   const json& recorded) {
  const auto expected = recorded.at("log_likelihood").get<std::vector<std::vector<double>>>();
  const auto greedy = recorded.at("greedy").get<std::vector<std::string>>();
  ASSERT_EQ(found.size(), expected.size());
  for (std::size_t d = 0; d < found.size(); ++d) {
    ASSERT_EQ(found[d].log_likelihood.size(), expected[d].size()) << "document " << d;
    for (std::size_t c = 0; c < expected[d].size(); ++c) {
      const double windows = std::max(1.0, std::abs(expected[d][c]) / kNatsOfAWindow);
      EXPECT_NEAR(found[d].log_likelihood[c], expected[d][c], kTolerance * windows)
          << "recorded document " << d << ", choice " << c;
    }
    if (task.kind != TaskKind::kRolling) {
      EXPECT_EQ(found[d].greedy, greedy[d]) << "recorded document " << d;
    }
  }
}

/// Every metric that the harness and we report: accuracies are equal, perplexities nearly so.
void expect_metrics(const TaskScore& found, const json& recorded) {
  std::size_t compared = 0;
  for (const auto& [name, value] : recorded.at("metrics").items()) {
    const auto metric = found.value(name);
    if (!metric.has_value()) {
      continue;
    }
    ++compared;
    const auto expected = value.get<double>();
    EXPECT_NEAR(*metric, expected, name.starts_with("acc") ? 1e-12 : 1e-5 * expected) << name;
  }
  EXPECT_GT(compared, 0U);
}

class HarnessScores : public ::testing::TestWithParam<std::string> {
 protected:
  void SetUp() override {
    if (!fs::exists(fs::path(kData) / "zeroshot") || !fs::exists(fs::path(kData) / "wikitext2")) {
      GTEST_SKIP() << "no task files in " << kData;
    }
    configure_torch(1);
  }
};

TEST_P(HarnessScores, AreReproducedRequestByRequest) {
  const fs::path directory = model_directory();
  const auto model = Checkpoint::open(directory);
  const auto tokenizer = open_tokenizer(directory);
  const SpecialIds ids = read_special_ids(*tokenizer, directory);
  const Task task = find_tasks(GetParam()).front();
  for (const json& run : golden().at("runs")) {
    const auto add_bos = run.at("add_bos").get<std::string>();
    SCOPED_TRACE("BOS: " + add_bos);
    const json& recorded = run.at("tasks").at(GetParam());
    EncodeOptions options;
    options.add_bos = add_bos == "auto" ? AddBos::kAuto : AddBos::kFalse;
    options.max_length = run.at("max_length").get<std::size_t>();
    const TaskRequests requests =
        encode_task(task, recorded_documents(task, recorded), *tokenizer, ids, options);
    EXPECT_EQ(requests.add_bos, run.at("bos_in_front").get<bool>());
    ScoreParams params;
    params.max_length = options.max_length;
    const std::vector<RequestScore> scores = score_requests(*model, requests.requests, params);
    expect_scores(by_document(requests, scores), requests, recorded);
    expect_metrics(task_result(requests, scores), recorded);
  }
}

INSTANTIATE_TEST_SUITE_P(Tasks, HarnessScores,
                         ::testing::Values("winogrande", "openbookqa", "hellaswag", "boolq",
                                           "arc_easy", "arc_challenge", "rte", "piqa",
                                           "lambada_openai", "wikitext"),
                         [](const auto& suite) { return suite.param; });

TEST(RecordedScores, BelongToTheModelThatIsShipped) {
  EXPECT_EQ(sha256_hex(read_text_file(model_directory() / "model.safetensors")),
            golden().at("weights_sha256").get<std::string>());
}

}  // namespace
}  // namespace btc
