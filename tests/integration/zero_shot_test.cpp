/// Zero-shot tasks in a run and by `btc evaluate`.

#include <gmock/gmock.h>

#include <nlohmann/json.hpp>
#include <sstream>

#include "eval/request_file.hpp"
#include "io/atomic_file.hpp"
#include "support/made_requests.hpp"
#include "support/pipeline_run.hpp"

namespace btc::test {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;
using ::testing::HasSubstr;

constexpr std::size_t kVocab = 64;

TaskRequests made_task(const std::string& name, std::size_t documents, std::uint64_t seed) {
  TaskRequests task{.kind = TaskKind::kChoices,
                    .metrics = {Metric::kAcc, Metric::kAccNorm},
                    .version = 1,
                    .split = "test",
                    .request_sha256 = std::string(64, '0')};
  task.requests = make_requests(random_documents(documents, kVocab, seed));
  task.requests.task = name;
  return task;
}

/// A toy model, a run of it with two tasks on two ranks, and the file of its requests.
class ZeroShot : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    bench() = std::make_unique<ToyBench>("zero-shot", ToyModel{.vocab_size = kVocab});
    write_requests(requests(), {.tasks = {made_task("arc_easy", 30, 1), made_task("rte", 9, 2)},
                                .vocab_size = kVocab,
                                .max_length = 64,
                                .made_by = "test"});
    bench()->configure("two", {.evaluate = evaluate()});
    const ProcessResult result = bench()->start("two", 2);
    ASSERT_EQ(result.exit_code, 0) << result.text();
    table() = result.out;
  }
  static void TearDownTestSuite() { bench().reset(); }
  static std::unique_ptr<ToyBench>& bench() {
    static std::unique_ptr<ToyBench> the_bench;
    return the_bench;
  }
  static std::string& table() {
    static std::string text;
    return text;
  }
  static fs::path requests() { return bench()->root() / "requests.h5"; }
  static std::string evaluate() {
    return concat("{perplexity: [], zero_shot: {requests: ", requests().string(),
                  ", batch_tokens: 64, tokens_in_memory: 128}}");
  }
  static json zero_shot_of(const std::string& run) {
    return json::parse(read_text_file(bench()->run_dir(run) / "results.json"))
        .at("btc")
        .at("zero_shot");
  }
  /// `btc evaluate` of a model directory with the same requests. @return the lines of --samples
  static std::vector<std::string> evaluated(const fs::path& model,
                                            const std::vector<std::string>& more = {},
                                            int ranks = 1) {
    const fs::path samples = bench()->root() / "samples.jsonl";
    fs::remove(samples);
    std::vector<std::string> command = {program("btc"),
                                        "evaluate",
                                        "--model",
                                        model.string(),
                                        "--requests",
                                        requests().string(),
                                        "--samples",
                                        samples.string(),
                                        "--json",
                                        (bench()->root() / "out.json").string(),
                                        "--batch-tokens",
                                        "64",
                                        "--tokens-in-memory",
                                        "128"};
    command.insert(command.end(), more.begin(), more.end());
    const ProcessResult result = run_process(under_mpi(ranks, command));
    EXPECT_EQ(result.exit_code, 0) << result.text();
    std::vector<std::string> lines;
    std::istringstream in(fs::exists(samples) ? read_text_file(samples) : "");
    for (std::string line; std::getline(in, line);) {
      lines.push_back(line);
    }
    return lines;
  }
};

TEST_F(ZeroShot, ResultsHaveBothModelsAndTheKeysOfTheHarness) {
  const json root = json::parse(read_text_file(bench()->run_dir("two") / "results.json"));
  const json& own = root.at("btc").at("zero_shot");
  ASSERT_EQ(own.at("scores").size(), 4U);
  ASSERT_EQ(own.at("differences").size(), 2U);
  EXPECT_EQ(root.at("n-samples").at("arc_easy").at("effective"), 30);
  const json& packed = own.at("scores").at(2);
  EXPECT_EQ(packed.at("subject"), "packed");
  EXPECT_EQ(root.at("results").at("arc_easy").at("acc,none"), packed.at("metrics").at("acc,none"));
  const json& pair = own.at("differences").at(0);
  EXPECT_EQ(pair.at("won").get<int>() + pair.at("lost").get<int>() + pair.at("both").get<int>() +
                pair.at("neither").get<int>(),
            30);
  EXPECT_THAT(table(), HasSubstr("arc_easy"));
  EXPECT_THAT(table(), HasSubstr("Packed against original"));
  EXPECT_THAT(read_text_file(bench()->run_dir("two") / "results.csv"), HasSubstr(",rte,"));
}

TEST_F(ZeroShot, ResultsDoNotDependOnTheNumberOfRanks) {
  bench()->configure("one", {.evaluate = evaluate()});
  const ProcessResult result = bench()->start("one", 1);
  ASSERT_EQ(result.exit_code, 0) << result.text();
  EXPECT_EQ(zero_shot_of("one"), zero_shot_of("two"));
}

TEST_F(ZeroShot, AFinishedRunScoresNothingAgain) {
  const auto before = times_below(bench()->run_dir("two") / "state" / "evaluate");
  EXPECT_GT(before.size(), 6U);
  const ProcessResult result = bench()->start("two", 1);
  ASSERT_EQ(result.exit_code, 0) << result.text();
  EXPECT_EQ(times_below(bench()->run_dir("two") / "state" / "evaluate"), before);
}

TEST_F(ZeroShot, TheCommandScoresAPackedModelLikeItsDenseExport) {
  const fs::path packed = bench()->run_dir("two") / "model";
  const fs::path dense = bench()->root() / "dense";
  ASSERT_EQ(run_process({program("btc"), "export", "--model", packed.string(), "--out",
                         dense.string(), "--dtype", "fp32"})
                .exit_code,
            0);
  const auto of_packed = evaluated(packed);
  ASSERT_FALSE(of_packed.empty());
  const json out = json::parse(read_text_file(bench()->root() / "out.json"));
  EXPECT_EQ(out.at("btc").at("kind"), "packed");
  EXPECT_EQ(out.at("results").at("rte"),
            json::parse(read_text_file(bench()->run_dir("two") / "results.json"))
                .at("results")
                .at("rte"));
  EXPECT_EQ(evaluated(dense), of_packed) << "the same weights, the same bits";
  EXPECT_NE(evaluated(bench()->model()), of_packed);
  const json first = json::parse(of_packed.front());
  EXPECT_EQ(first.at("task"), "arc_easy");
  EXPECT_EQ(first.at("doc"), 0);
  EXPECT_EQ(first.at("choice"), 0);
  EXPECT_LT(first.at("loglik").get<double>(), 0);
  EXPECT_TRUE(first.at("greedy").is_boolean());
}

TEST_F(ZeroShot, TheCommandGoesOnInItsWorkFolder) {
  const fs::path work = bench()->root() / "work";
  const std::vector<std::string> keep = {"--work", work.string()};
  const auto lines = evaluated(bench()->model(), keep, 2);
  EXPECT_EQ(lines, evaluated(bench()->model()));
  std::vector<fs::path> records;
  for (const auto& entry : fs::directory_iterator(work / "state" / "evaluate")) {
    records.push_back(entry.path());
  }
  ASSERT_GT(records.size(), 2U);
  fs::remove(records[1]);
  const auto before = times_below(work / "state" / "evaluate");
  EXPECT_EQ(evaluated(bench()->model(), keep), lines);
  auto after = times_below(work / "state" / "evaluate");
  EXPECT_EQ(after.size(), before.size() + 1);
  after.erase(records[1].filename().string());
  EXPECT_EQ(after, before) << "only the missing part was computed";
}

TEST_F(ZeroShot, TheCommandReadsTaskFilesForAPackedModel) {
  const fs::path root = bench()->root() / "packed-tasks";
  fs::create_directories(root);
  fs::copy(bench()->run_dir("two") / "model", root / "model");
  write_text_file(root / "lambada.jsonl", R"({"text": "b a b"})");
  const std::vector<std::string> command = {
      program("btc"), "evaluate",    "--model", (root / "model").string(),   "--tasks", "lambada",
      "--data",       root.string(), "--json",  (root / "out.json").string()};
  write_text_file(root / "model" / "tokenizer.json",
                  R"({"model": {"type": "BPE", "vocab": {"a": 0, "b": 1, " ": 2}, "merges": []}})");
  const ProcessResult result = run_process(command);
  ASSERT_EQ(result.exit_code, 0) << result.text();
  const json out = json::parse(read_text_file(root / "out.json"));
  EXPECT_EQ(out.at("btc").at("kind"), "packed");
  EXPECT_EQ(out.at("btc").at("zero_shot").at("scores").at(0).at("requests"), 1);
  EXPECT_GT(out.at("btc").at("zero_shot").at("scores").at(0).at("max_length"), 0);

  const fs::path shard = root / "model" / "model-00001-of-00003.safetensors";
  ASSERT_TRUE(fs::exists(shard));
  std::string bytes = read_text_file(shard);
  bytes[bytes.size() - 3] = static_cast<char>(bytes[bytes.size() - 3] ^ 1);
  write_text_file(shard, bytes);
  const ProcessResult damaged = run_process(command);
  EXPECT_NE(damaged.exit_code, 0);
  EXPECT_THAT(damaged.err, HasSubstr("model-00001-of-00003.safetensors: SHA-256 is"));
}

/// What `btc evaluate` says about BOS in two documents of rte, its finished parts kept.
bool adds_bos(const fs::path& root) {
  const ProcessResult result = run_process(
      {program("btc"), "evaluate", "--model", (root / "model").string(), "--tasks", "rte", "--data",
       root.string(), "--work", (root / "work").string(), "--json", (root / "out.json").string()});
  EXPECT_EQ(result.exit_code, 0) << result.text();
  const json out = json::parse(read_text_file(root / "out.json"));
  return out.at("btc").at("zero_shot").at("scores").at(0).at("add_bos").get<bool>();
}

TEST_F(ZeroShot, RequestsAreMadeAnewWhenTheTokenizersSettingsChange) {
  const fs::path root = bench()->root() / "settings";
  fs::create_directories(root / "model");
  for (const char* file : {"config.json", "model.safetensors", "tokenizer.model"}) {
    fs::create_symlink(fs::path(BTC_SOURCE_DIR) / "examples/wiki-llama-7m" / file,
                       root / "model" / file);
  }
  write_text_file(root / "rte.jsonl", R"({"sentence1": "A.", "sentence2": "B.", "label": 0}
{"sentence1": "C.", "sentence2": "D.", "label": 1}
)");
  write_text_file(root / "model" / "tokenizer_config.json", R"({"add_bos_token": true})");
  EXPECT_TRUE(adds_bos(root));
  write_text_file(root / "model" / "tokenizer_config.json", R"({"add_bos_token": false})");
  EXPECT_FALSE(adds_bos(root));
}

TEST_F(ZeroShot, MistakesOfTheUserAreNamed) {
  const auto failure = [](const std::vector<std::string>& more) {
    std::vector<std::string> command = {program("btc"), "evaluate", "--model",
                                        bench()->model().string()};
    command.insert(command.end(), more.begin(), more.end());
    const ProcessResult result = run_process(command);
    EXPECT_EQ(result.exit_code, 2) << result.text();
    return result.err;
  };
  EXPECT_THAT(failure({}), HasSubstr("nothing to measure"));
  EXPECT_THAT(failure({"--data", "x"}), HasSubstr("--data needs --tasks"));
  EXPECT_THAT(failure({"--requests", requests().string(), "--tasks", "piqa"}),
              HasSubstr("has no task piqa"));
  EXPECT_THAT(failure({"--requests", requests().string(), "--tasks", "nothing"}),
              HasSubstr("nothing"));
  EXPECT_THAT(failure({"--requests", "absent.h5"}), HasSubstr("absent.h5"));
  EXPECT_THAT(failure({"--requests", "a.h5", "--data", "x"}), HasSubstr("--data"));
  EXPECT_THAT(failure({"--requests", requests().string(), "--limit", "1"}), HasSubstr("--data"));
  EXPECT_THAT(failure({"--requests", requests().string(), "--add-bos", "true"}),
              HasSubstr("--data"));
  const fs::path other = bench()->root() / "other.h5";
  write_requests(other, {.tasks = {made_task("rte", 9, 2)},
                         .vocab_size = kVocab,
                         .max_length = 64,
                         .made_by = "test"});
  write_toy_model(bench()->root() / "small", {.vocab_size = 20});
  const ProcessResult result =
      run_process({program("btc"), "evaluate", "--model", (bench()->root() / "small").string(),
                   "--requests", other.string()});
  EXPECT_EQ(result.exit_code, 2) << result.text();
  EXPECT_THAT(result.err, HasSubstr("expected 0 to 19"));
}

}  // namespace
}  // namespace btc::test
