#include "config/preset.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/error.hpp"
#include "config/pipeline_config.hpp"
#include "support/scratch.hpp"

namespace btc {
namespace {

namespace fs = std::filesystem;
using ::testing::AllOf;
using ::testing::HasSubstr;

class Preset : public ::testing::Test {
 protected:
  PipelineConfig load(const std::string& preset, const std::string& own,
                      const std::vector<std::string>& overrides = {}) {
    test::write_bytes(preset_, preset);
    test::write_bytes(
        file_, concat("run: {dir: x}\nmodel: {path: m}\npreset: ", preset_.string(), "\n", own));
    return load_config(file_, overrides);
  }
  std::string error_of(const std::string& preset, const std::string& own,
                       const std::vector<std::string>& overrides = {}) {
    try {
      load(preset, own, overrides);
    } catch (const ConfigError& error) {
      return error.what();
    }
    ADD_FAILURE() << "accepted: " << preset << own;
    return {};
  }

  test::Scratch scratch_{"preset"};
  fs::path preset_ = scratch_.path() / "p.yaml";
  fs::path file_ = scratch_.path() / "run.yaml";
};

TEST_F(Preset, GivesWhatTheFileLeavesOut) {
  const PipelineConfig config =
      load("binarize: {split_points: 1, iterations: 3}\ncodebook: {target_bits: 0.7}\n",
           "binarize: {iterations: 4}\n");
  EXPECT_EQ(config.binarize.split_points, 1);
  EXPECT_EQ(config.binarize.iterations, 4) << "the file wins, key by key";
  EXPECT_EQ(config.codebook->target_bits, 0.7);
}

TEST_F(Preset, OverridesWinOverBoth) {
  const PipelineConfig config = load("binarize: {iterations: 3}\n", "binarize: {iterations: 4}\n",
                                     {"binarize.iterations=5", "codebook.target_bits=0.6"});
  EXPECT_EQ(config.binarize.iterations, 5);
  EXPECT_EQ(config.codebook->target_bits, 0.6);
}

TEST_F(Preset, NoneReplacesAWholeSection) {
  EXPECT_FALSE(load("codebook: {target_bits: 0.7}\n", "codebook: none\n").codebook);
  EXPECT_EQ(load("codebook: none\n", "codebook: {target_bits: 0.7}\n").codebook->target_bits, 0.7);
}

TEST_F(Preset, IsResolvedOnceAndForAll) {
  const PipelineConfig config = load("binarize: {split_points: 1}\n", "");
  EXPECT_THAT(to_yaml(config), ::testing::Not(HasSubstr("preset")));
  EXPECT_THAT(to_yaml(config), HasSubstr("split_points: 1"));
}

TEST_F(Preset, MistakesAreFoundWhereTheyAre) {
  EXPECT_THAT(error_of("binarize: {spilt_points: 1}\n", ""),
              AllOf(HasSubstr("p.yaml:1"), HasSubstr("spilt_points")));
  EXPECT_THAT(error_of("\nrun: {dir: y}\n", ""),
              AllOf(HasSubstr("run.yaml:3"), HasSubstr("p.yaml:2"), HasSubstr("run"),
                    HasSubstr("binarize, codebook, refine")));
  EXPECT_THAT(error_of("", "", {"preset=no_such"}),
              AllOf(HasSubstr("--set preset=no_such"), HasSubstr("'no_such' is not known")));
  EXPECT_THAT(error_of("", "", {"preset=./no_such.yaml"}), HasSubstr("no_such.yaml"));
}

/// Every preset that is shipped, by its name.
TEST_F(Preset, TheShippedOnesAreAccepted) {
  std::size_t found = 0;
  for (const fs::path& directory : preset_directories()) {
    std::error_code absent;
    for (const auto& entry : fs::directory_iterator(directory, absent)) {
      const std::string name = entry.path().stem().string();
      EXPECT_NO_THROW(load("", "", {"preset=" + name})) << name;
      ++found;
    }
  }
  EXPECT_GT(found, 0U);
}

}  // namespace
}  // namespace btc
