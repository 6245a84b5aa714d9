#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "common/error.hpp"
#include "config/pipeline_config.hpp"

namespace btc {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

constexpr const char* kSmall =
    "run: {dir: runs/x}\n"
    "model: {path: examples/m}\n";
constexpr const char* kFull =
    "run:         {dir: runs/quickstart, seed: 7}\n"
    "model:       {path: examples/wiki-llama-7m}\n"
    "calibration: {source: text, path: a.txt, samples: 64, window: 512}\n"
    "compute:     {backend: reference, threads_per_rank: 3}\n"
    "binarize:    {method: arb, iterations: 4, split_points: 2, split_rule: fraction,\n"
    "              group_fractions: [0.1, 0.3], salient: none, scales: panel,\n"
    "              compensation: block, panel: 64, damping: 0.02}\n"
    "codebook:    {vector_length: 8, target_bits: 0.7, scope: block, assignment: hamming,\n"
    "              encode: post, init: random, iterations: 3, refit: false}\n"
    "evaluate:\n"
    "  subjects: [packed]\n"
    "  windows_in_memory: 8\n"
    "  perplexity:\n"
    "    - {name: wikitext2, path: b.raw, window: 512, windows: 9}\n"
    "    - {name: own, source: self, samples: 5}\n"
    "    - {name: c4, path: c4.jsonl, join: c4}\n"
    "  zero_shot: {tasks: [btc7, piqa], data: tasks, add_bos: false, limit: 20,\n"
    "              batch_tokens: 2048, tokens_in_memory: 100000}\n"
    "resume: {verify: full}\n";

class LoadConfig : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = ::testing::TempDir() + "load_config_XXXXXX";
    ASSERT_NE(mkdtemp(pattern.data()), nullptr);
    folder_ = pattern;
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  PipelineConfig load(const std::string& text, const std::vector<std::string>& overrides = {}) {
    std::ofstream(folder_ / "run.yaml") << text;
    return load_config(folder_ / "run.yaml", overrides);
  }
  std::string error_of(const std::string& text, const std::vector<std::string>& overrides = {}) {
    try {
      load(text, overrides);
    } catch (const ConfigError& error) {
      return error.what();
    }
    ADD_FAILURE() << "accepted: " << text;
    return {};
  }

  std::filesystem::path folder_;
};

TEST_F(LoadConfig, TakesDefaultsForEveryKeyButTheRequiredOnes) {
  const PipelineConfig config = load(kSmall);
  EXPECT_EQ(config.run.dir, "runs/x");
  EXPECT_EQ(config.run.seed, 42U);
  EXPECT_EQ(config.model_path, "examples/m");
  EXPECT_EQ(config.calibration.source, TokenSource::kSelf);
  EXPECT_FALSE(config.codebook.has_value());
  EXPECT_TRUE(config.evaluate.perplexity.empty());
  EXPECT_FALSE(config.evaluate.zero_shot.has_value());
}

TEST_F(LoadConfig, ZeroShotTakesTaskFilesOrRequests) {
  const auto with = [](const std::string& zero_shot) {
    return concat(kSmall, "evaluate: {zero_shot: ", zero_shot, "}\n");
  };
  EXPECT_EQ(load(with("{requests: r.h5}")).evaluate.zero_shot->requests, "r.h5");
  EXPECT_EQ(load(with("{tasks: [rte], data: d}")).evaluate.zero_shot->add_bos, AddBos::kAuto);
  EXPECT_FALSE(load(with("none")).evaluate.zero_shot.has_value());
  EXPECT_THAT(error_of(with("{tasks: [rte]}")),
              AllOf(HasSubstr("evaluate.zero_shot"), HasSubstr("either data or requests")));
  EXPECT_THAT(error_of(with("{data: d, requests: r.h5, tasks: [rte]}")),
              HasSubstr("either data or requests"));
  EXPECT_THAT(error_of(with("{data: d}")), HasSubstr("data needs tasks"));
  EXPECT_THAT(error_of(with("{requests: r.h5, add_bos: true}")), HasSubstr("add_bos needs data"));
  EXPECT_THAT(error_of(with("{requests: r.h5, limit: 3}")), HasSubstr("limit needs data"));
  EXPECT_THAT(error_of(with("{data: d, tasks: rte}")), HasSubstr("expected a list"));
  EXPECT_THAT(error_of(with("{data: d, tasks: [rte], add_bos: maybe}")),
              HasSubstr("expected one of: auto, true, false"));
  EXPECT_THAT(error_of(with("{data: d, tasks: [rte], shots: 5}")), HasSubstr("shots"));
}

TEST_F(LoadConfig, AJoinIsForTexts) {
  EXPECT_THAT(error_of(concat(kSmall, "evaluate: {perplexity: [{name: p, source: ids, path: p.h5, ",
                              "join: c4}]}\n")),
              HasSubstr("join needs source: text"));
}

TEST_F(LoadConfig, ReadsEveryKey) {
  const PipelineConfig config = load(kFull);
  EXPECT_EQ(config.run.seed, 7U);
  EXPECT_EQ(config.calibration.source, TokenSource::kText);
  EXPECT_EQ(config.calibration.path, "a.txt");
  EXPECT_EQ(config.calibration.samples, 64U);
  EXPECT_EQ(config.calibration.window, 512U);
  EXPECT_EQ(config.compute.backend, BackendKind::kReference);
  EXPECT_EQ(config.compute.threads_per_rank, 3);
  EXPECT_EQ(config.binarize.iterations, 4);
  EXPECT_EQ(config.binarize.split_rule, SplitRule::kFraction);
  EXPECT_THAT(config.binarize.group_fractions, ElementsAre(0.1, 0.3));
  EXPECT_EQ(config.binarize.salient, SalientRule::kNone);
  EXPECT_EQ(config.binarize.compensation, Compensation::kBlock);
  EXPECT_EQ(config.binarize.panel, 64);
  EXPECT_EQ(config.binarize.damping, 0.02);
  ASSERT_TRUE(config.codebook.has_value());
  EXPECT_EQ(config.codebook->vector_length, 8);
  EXPECT_EQ(config.codebook->target_bits, 0.7);
  EXPECT_EQ(config.codebook->scope, CodebookScope::kBlock);
  EXPECT_EQ(config.codebook->assignment, Assignment::kHamming);
  EXPECT_EQ(config.codebook->encode, EncodeMode::kPost);
  EXPECT_EQ(config.codebook->init, CodebookInit::kRandom);
  EXPECT_FALSE(config.codebook->refit);
  EXPECT_THAT(config.evaluate.subjects, ElementsAre(Subject::kPacked));
  ASSERT_EQ(config.evaluate.perplexity.size(), 3U);
  EXPECT_EQ(config.evaluate.perplexity[0].source, TokenSource::kText);
  EXPECT_EQ(config.evaluate.perplexity[0].windows, 9U);
  EXPECT_EQ(config.evaluate.perplexity[1].source, TokenSource::kSelf);
  EXPECT_EQ(config.evaluate.perplexity[1].samples, 5U);
  EXPECT_EQ(config.evaluate.perplexity[0].join, TextJoin::kAuto);
  EXPECT_EQ(config.evaluate.perplexity[2].join, TextJoin::kC4);
  ASSERT_TRUE(config.evaluate.zero_shot.has_value());
  EXPECT_THAT(config.evaluate.zero_shot->tasks, ElementsAre("btc7", "piqa"));
  EXPECT_EQ(config.evaluate.zero_shot->data, "tasks");
  EXPECT_EQ(config.evaluate.zero_shot->requests, "");
  EXPECT_EQ(config.evaluate.zero_shot->add_bos, AddBos::kFalse);
  EXPECT_EQ(config.evaluate.zero_shot->limit, 20U);
  EXPECT_EQ(config.evaluate.zero_shot->batch_tokens, 2048U);
  EXPECT_EQ(config.evaluate.zero_shot->tokens_in_memory, 100000U);
  EXPECT_EQ(config.resume.verify, ResumeVerify::kFull);
}

TEST_F(LoadConfig, WrittenConfigurationReadsBackToTheSame) {
  for (const char* text : {kFull, kSmall}) {
    const std::string written = to_yaml(load(text));
    const PipelineConfig back = load(written);
    EXPECT_EQ(to_yaml(back), written);
    EXPECT_EQ(to_options(back), to_options(load(text)));
  }
}

TEST_F(LoadConfig, WritesEveryKeyWithItsDefault) {
  const std::string written = to_yaml(load(kSmall));
  for (const char* line : {"  seed: 42\n", "  window: 2048\n", "  threads_per_rank: 1\n",
                           "  damping: 0.01\n", "codebook: none\n", "  perplexity: []\n",
                           "  windows_in_memory: 256\n", "  verify: size\n", "  path: null\n"}) {
    EXPECT_THAT(written, HasSubstr(line));
  }
}

TEST_F(LoadConfig, OptionsAreFlat) {
  const auto options = to_options(load(kFull));
  EXPECT_EQ(options.at("codebook.target_bits"), "0.7");
  EXPECT_EQ(options.at("codebook.centroids"), "null");
  EXPECT_EQ(options.at("binarize.group_fractions"), "[0.1, 0.3]");
  EXPECT_EQ(options.at("run.dir"), "\"runs/quickstart\"");
  EXPECT_EQ(to_options(load(kSmall)).at("codebook"), "none");
}

TEST_F(LoadConfig, OverridesReplaceValues) {
  const PipelineConfig config =
      load(kFull, {"codebook.target_bits=0.5", "calibration={source: self, samples: 2}",
                   "evaluate.perplexity=[{name: p, source: ids, path: p.h5}]", "run.dir=/tmp/r"});
  EXPECT_EQ(config.codebook->target_bits, 0.5);
  EXPECT_EQ(config.calibration.source, TokenSource::kSelf);
  EXPECT_EQ(config.calibration.samples, 2U);
  EXPECT_EQ(config.evaluate.perplexity.at(0).path, "p.h5");
  EXPECT_EQ(config.run.dir, "/tmp/r");
  EXPECT_FALSE(load(kFull, {"codebook=none"}).codebook.has_value());
  const PipelineConfig other = load(kFull, {"codebook.target_bits=null", "codebook.centroids=16"});
  EXPECT_EQ(other.codebook->centroids, 16);
}

TEST_F(LoadConfig, ErrorsOfOverridesNameTheOverride) {
  EXPECT_THAT(error_of(kFull, {"codebook.assignment_rule=hamming"}),
              AllOf(HasSubstr("--set codebook.assignment_rule=hamming"), HasSubstr("unknown key"),
                    HasSubstr("assignment")));
  EXPECT_THAT(error_of(kFull, {"compute.backend=gpu"}),
              AllOf(HasSubstr("--set compute.backend=gpu"), HasSubstr("reference, cpu, cuda")));
  EXPECT_THAT(error_of(kFull, {"compute.threads_per_rank=many"}), HasSubstr("--set compute."));
}

TEST_F(LoadConfig, NamesFileLineAndKey) {
  const std::string head = kSmall;
  EXPECT_THAT(error_of(head + "compute: {backend_name: cpu}\n"),
              AllOf(HasSubstr("run.yaml:3"), HasSubstr("compute.backend_name"),
                    HasSubstr("backend, threads_per_rank")));
  EXPECT_THAT(
      error_of(head + "quantize: {}\n"),
      AllOf(HasSubstr("run.yaml:3"), HasSubstr("quantize: unknown key"), HasSubstr("binarize")));
  EXPECT_THAT(error_of(head + "compute:\n  backend: cpu\n  backend: cuda\n"),
              AllOf(HasSubstr("run.yaml:5"), HasSubstr("duplicate key 'backend'")));
  EXPECT_THAT(error_of(head + "\nbinarize: {salient: some}\n"),
              AllOf(HasSubstr("run.yaml:4"), HasSubstr("binarize.salient"), HasSubstr("'some'"),
                    HasSubstr("none, search, fraction")));
  EXPECT_THAT(
      error_of(head + "binarize: {iterations: 1.5}\n"),
      AllOf(HasSubstr("run.yaml:3"), HasSubstr("binarize.iterations"), HasSubstr("integer")));
  EXPECT_THAT(error_of(head + "binarize: {split_points: 4}\n"), HasSubstr("from 0 to 3"));
  EXPECT_THAT(error_of(head + "calibration: {window: 1}\n"), HasSubstr(">= 2"));
  EXPECT_THAT(error_of("run: {dir: x}\n"), HasSubstr("required key missing: model"));
  EXPECT_THAT(error_of("run: {seed: 1}\nmodel: {path: m}\n"),
              AllOf(HasSubstr("run.yaml:1"), HasSubstr("run: required key missing: dir")));
  EXPECT_THAT(error_of("run: [a]\nmodel: {path: m}\n"),
              AllOf(HasSubstr("run.yaml:1"), HasSubstr("expected a mapping")));
  EXPECT_THAT(error_of("just words\n"), HasSubstr("expected a mapping"));
  EXPECT_THAT(error_of(""), HasSubstr("expected a mapping"));
}

TEST_F(LoadConfig, SourcesNeedTheirFileAndNoOther) {
  const std::string head = kSmall;
  EXPECT_THAT(error_of(head + "calibration: {source: ids}\n"),
              HasSubstr("calibration: required key missing: path"));
  EXPECT_THAT(error_of(head + "calibration: {source: self, path: x}\n"),
              AllOf(HasSubstr("calibration.path"), HasSubstr("takes no file")));
}

TEST_F(LoadConfig, ChecksListsEntryByEntry) {
  const std::string head = kSmall;
  EXPECT_THAT(error_of(head + "evaluate:\n  perplexity:\n    - {name: a, path: x}\n"
                              "    - {name: b, path: y, windw: 3}\n"),
              AllOf(HasSubstr("run.yaml:6"), HasSubstr("evaluate.perplexity[1].windw")));
  EXPECT_THAT(error_of(head + "evaluate: {perplexity: {name: a}}\n"),
              HasSubstr("got a mapping, expected a list"));
  EXPECT_THAT(error_of(head + "evaluate: {perplexity: [{name: a/b, path: x}]}\n"),
              HasSubstr("letters, digits"));
  EXPECT_THAT(error_of(head + "evaluate: {perplexity: [{name: a, path: x}, {name: a, path: y}]}\n"),
              HasSubstr("given twice"));
  EXPECT_THAT(error_of(head + "evaluate: {subjects: [packed, packed]}\n"),
              HasSubstr("listed twice"));
  EXPECT_THAT(error_of(head + "evaluate: {subjects: [dense]}\n"), HasSubstr("original, packed"));
}

TEST_F(LoadConfig, CodebookIsAMappingOrNone) {
  const std::string head = kSmall;
  EXPECT_THAT(error_of(head + "codebook: large\n"),
              AllOf(HasSubstr("'large'"), HasSubstr("mapping or none")));
  EXPECT_THAT(error_of(head + "codebook: {vector_length: 25, centroids: 2}\n"),
              HasSubstr("from 4 to 24"));
}

TEST_F(LoadConfig, ChecksCombinationsAndNamesTheLine) {
  const std::string head = kSmall;
  EXPECT_THAT(error_of(head + "codebook: {vector_length: 8, target_bits: 0.5, centroids: 16}\n"),
              AllOf(HasSubstr("run.yaml:3"), HasSubstr("target_bits"), HasSubstr("centroids")));
  EXPECT_THAT(error_of(head + "codebook:\n  vector_length: 4\n  centroids: 17\n"),
              AllOf(HasSubstr("run.yaml:5"), HasSubstr("codebook.centroids")));
  EXPECT_THAT(error_of(head + "codebook: {centroids: 16}\n", {"binarize.panel=8"}),
              HasSubstr("--set binarize.panel=8: binarize.panel"));
}

TEST(ShippedConfigurations, AreValid) {
  std::size_t found = 0;
  for (const auto& entry : std::filesystem::directory_iterator(BTC_SOURCE_DIR "/configs")) {
    if (entry.path().extension() == ".yaml") {
      EXPECT_NO_THROW(load_config(entry.path(), {})) << entry.path();
      ++found;
    }
  }
  EXPECT_GE(found, 3U);
}

}  // namespace
}  // namespace btc
