/// Mistakes of the user: exit code 2, one message that says where and what.

#include <gmock/gmock.h>

#include "io/atomic_file.hpp"
#include "support/pipeline_run.hpp"

namespace btc::test {
namespace {

using ::testing::HasSubstr;

constexpr int kUserError = 2;

std::size_t count_of(const std::string& text, const std::string& word) {
  std::size_t count = 0;
  for (std::size_t at = text.find(word); at != std::string::npos; at = text.find(word, at + 1)) {
    ++count;
  }
  return count;
}

struct Case {
  std::string name;
  std::string yaml;                ///< MODEL and RUN stand for the directories
  std::vector<std::string> words;  ///< in the message
  std::vector<std::string> set;    ///< values of --set
};

void PrintTo(const Case& test_case, std::ostream* out) {  // NOLINT(readability-identifier-naming)
  *out << test_case.name;
}

const char* const kStart = "run: {dir: RUN}\nmodel: {path: MODEL}\n";

std::vector<Case> cases() {
  const std::string start = kStart;
  return {
      {"unknown_key",
       start + "binarize:\n  iteration: 3\n",
       {"run.yaml:4", "binarize.iteration"},
       {}},
      {"duplicate_key",
       start + "binarize: {panel: 64}\nbinarize: {panel: 128}\n",
       {"run.yaml:4", "duplicate key 'binarize'", "run.yaml:3"},
       {}},
      {"wrong_enum",
       start + "codebook: {target_bits: 0.8,\n  scope: global}\n",
       {"run.yaml:4", "codebook.scope", "'global'", "linear, block, model, block_group"},
       {}},
      {"as_many_eigenvalues_as_signs",
       start + "codebook: {target_bits: 0.8, vector_length: 8}\n"
               "transform: {kind: flatquant, similarity: 1, eigenvalues: 8}\n",
       {"run.yaml:4", "transform.eigenvalues", "got 8", "less than codebook.vector_length = 8"},
       {}},
      {"wrong_type",
       start + "calibration: {samples: many}\n",
       {"run.yaml:3", "calibration.samples", "'many'"},
       {}},
      {"missing_key",
       "run: {seed: 1}\nmodel: {path: MODEL}\n",
       {"run.yaml:1", "run: required key missing: dir"},
       {}},
      {"missing_section", "run: {dir: RUN}\n", {"run.yaml", "model"}, {}},
      {"bits_and_centroids",
       start + "codebook: {target_bits: 0.8, centroids: 7}\n",
       {"run.yaml:3", "target_bits", "centroids"},
       {}},
      {"override_with_unknown_key",
       start,
       {"--set codebook.wings=2", "unknown key"},
       {"codebook.wings=2"}},
      {"override_with_wrong_enum",
       start,
       {"--set", "compute.backend", "reference, cpu, cuda"},
       {"compute.backend=gpu"}},
      {"no_yaml", "run: {dir: [\n", {"run.yaml"}, {}},
      {"no_model", "run: {dir: RUN}\nmodel: {path: RUN/nowhere}\n", {"nowhere/config.json"}, {}},
      {"window_longer_than_the_model",
       start + "calibration: {window: 65}\n",
       {"calibration.window", "at most 64", "got 65"},
       {}},
      {"missing_token_file",
       start + "calibration: {source: ids, path: RUN/no.h5, window: 8}\n",
       {"no such file", "no.h5"},
       {}},
      {"cuda_without_cuda",
       start + "calibration: {window: 8}\ncompute: {backend: cuda}\n",
       {"BTC_WITH_CUDA"},
       {}},
  };
}

class ConfigErrors : public ::testing::TestWithParam<Case> {};

TEST_P(ConfigErrors, AreReportedOnceByAnyNumberOfRanks) {
  const Case& given = GetParam();
  const Scratch scratch("config-errors");
  const auto model = scratch.path() / "model";
  write_toy_model(model, {});
  std::string yaml = given.yaml;
  for (const auto& [from, to] : {std::pair{std::string("MODEL"), model.string()},
                                 std::pair{std::string("RUN"), scratch.path().string() + "/run"}}) {
    for (std::size_t at = yaml.find(from); at != std::string::npos; at = yaml.find(from)) {
      yaml.replace(at, from.size(), to);
    }
  }
  write_text_file(scratch.path() / "run.yaml", yaml);
  std::vector<std::string> command = {program("btc_pipeline"), "--config",
                                      (scratch.path() / "run.yaml").string()};
  for (const std::string& value : given.set) {
    command.insert(command.end(), {"--set", value});
  }
  for (const int ranks : {1, 3}) {
    SCOPED_TRACE(concat(ranks, " ranks"));
    const ProcessResult result = run_process(under_mpi(ranks, command));
    EXPECT_EQ(result.exit_code, kUserError) << result.text();
    for (const std::string& word : given.words) {
      EXPECT_THAT(result.err, HasSubstr(word));
    }
    EXPECT_EQ(count_of(result.err, " error: "), 1U) << result.err;
    EXPECT_EQ(count_of(result.err, given.words.back()), 1U) << result.err;
  }
}

INSTANTIATE_TEST_SUITE_P(Mistakes, ConfigErrors, ::testing::ValuesIn(cases()),
                         [](const auto& given) { return given.param.name; });

TEST(Arguments, ThatAreWrongEndWithTwo) {
  for (const auto& arguments : std::vector<std::vector<std::string>>{
           {}, {"--config"}, {"--config", "x.yaml", "--fast"}, {"--max-hours", "soon"}}) {
    std::vector<std::string> command = {program("btc_pipeline")};
    command.insert(command.end(), arguments.begin(), arguments.end());
    EXPECT_EQ(run_process(command).exit_code, kUserError);
  }
  const ProcessResult absent =
      run_process(under_mpi(3, {program("btc_pipeline"), "--config", "/nowhere/x.yaml"}));
  EXPECT_EQ(absent.exit_code, kUserError);
  EXPECT_EQ(count_of(absent.err, "/nowhere/x.yaml"), 1U) << absent.err;
}

TEST(Settings, OfTheRunAreKeptWithTheirDefaults) {
  const ToyBench bench("resolved", {});
  bench.configure("toy", {});
  const ProcessResult result =
      bench.start("toy", 1, {"--set", "binarize.iterations=3", "--set", "codebook=none"});
  ASSERT_EQ(result.exit_code, 0) << result.text();
  const std::string kept = read_text_file(bench.run_dir("toy") / "config.resolved.yaml");
  for (const char* const word : {"iterations: 3", "codebook: none", "damping: 0.01"}) {
    EXPECT_THAT(kept, HasSubstr(word));
  }
  EXPECT_THAT(kept, ::testing::Not(HasSubstr("vector_length")));
}

}  // namespace
}  // namespace btc::test
