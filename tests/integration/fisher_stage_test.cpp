/// The stage that measures which channels of the blocks' outputs count.

#include <gmock/gmock.h>

#include <algorithm>
#include <map>
#include <memory>

#include "common/hash.hpp"
#include "io/atomic_file.hpp"
#include "io/hdf5_file.hpp"
#include "pipeline/fisher.hpp"
#include "support/pipeline_run.hpp"

namespace btc::test {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;

const ToyModel kToy = {.intermediate = 86, .blocks = 3};

ToySettings with_dense_epochs(const std::string& refine = "{dense_epochs: 1, batch: 2}") {
  return {.binarize = "{iterations: 3}",
          .codebook = "{vector_length: 8, target_bits: 0.8, scope: model}",
          .refine = refine};
}

/// One undisturbed run for all tests of this file.
class FisherStage : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    bench = std::make_unique<ToyBench>("fisher-stage", kToy);
    run_new("whole", 1);
  }
  static void TearDownTestSuite() { bench.reset(); }

  static void run_new(const std::string& run, int ranks,
                      const std::vector<std::string>& arguments = {}) {
    bench->configure(run, with_dense_epochs());
    const ProcessResult result = bench->start(run, ranks, arguments);
    ASSERT_EQ(result.exit_code, 0) << result.text();
  }
  static fs::path copy_of_whole(const std::string& run) {
    bench->configure(run, with_dense_epochs());
    fs::copy(bench->run_dir("whole"), bench->run_dir(run), fs::copy_options::recursive);
    return bench->run_dir(run);
  }
  static std::string hash_of(const std::string& run) {
    return sha256_file(bench->run_dir(run) / "fisher.h5");
  }
  static std::map<std::string, std::string> packed(const std::string& run) {
    return hashes_below(bench->run_dir(run) / "model");
  }
  static Unit unit_of(const fs::path& dir) {
    const fs::path file = dir / "fisher.h5";
    return {"fisher", "model", file, Hdf5File::open(file).text_attribute("/", "fingerprint")};
  }
  static Matrix<float> weights_of(const fs::path& dir) {
    ModelConfig model;
    model.blocks = kToy.blocks;
    model.hidden = kToy.hidden;
    const Unit unit = unit_of(dir);
    return read_fisher(unit.file, unit.fingerprint, model);
  }

  static std::unique_ptr<ToyBench> bench;
};

std::unique_ptr<ToyBench>
    FisherStage::bench;  // NOLINT(cppcoreguidelines-avoid-non-const-global-variables)

TEST_F(FisherStage, GivesTheSameBytesOnAnyNumberOfRanks) {
  for (const int ranks : {2, 3}) {
    const std::string run = std::to_string(ranks);
    run_new(run, ranks);
    EXPECT_EQ(hash_of(run), hash_of("whole"));
    EXPECT_EQ(packed(run), packed("whole"));
  }
}

TEST_F(FisherStage, LeavesWeightsOfMeanOneThatDifferFromBlockToBlock) {
  const Matrix<float> weights = weights_of(bench->run_dir("whole"));
  for (std::size_t b = 0; b < weights.rows(); ++b) {
    double sum = 0;
    for (const float weight : weights.row(b)) {
      sum += static_cast<double>(weight);
    }
    EXPECT_NEAR(sum / static_cast<double>(weights.cols()), 1, 1e-5) << "block " << b;
    EXPECT_THAT(weights.row(b), ::testing::Contains(::testing::Lt(0.8F))) << "block " << b;
  }
  EXPECT_NE(std::vector(weights.row(0).begin(), weights.row(0).end()),
            std::vector(weights.row(1).begin(), weights.row(1).end()));
}

TEST_F(FisherStage, IsNotThereWithoutDenseEpochs) {
  bench->configure("without", with_dense_epochs("{}"));
  ASSERT_EQ(bench->start("without", 1).exit_code, 0);
  EXPECT_FALSE(fs::exists(bench->run_dir("without") / "fisher.h5"));
  EXPECT_FALSE(fs::exists(bench->run_dir("without") / "state" / "fisher"));
}

// The same record, but all channels count alike: other blocks come out.
TEST_F(FisherStage, DecidesWhatIsEncoded) {
  const fs::path dir = copy_of_whole("ones");
  const Unit unit = unit_of(dir);
  Matrix<float> ones(static_cast<std::size_t>(kToy.blocks), kToy.hidden);
  std::fill(ones.values().begin(), ones.values().end(), 1.0F);
  write_fisher(unit.file, ones, unit.fingerprint);
  UnitStore(dir / "state", ResumeVerify::kSize)
      .record(unit,
              {.bytes = fs::file_size(unit.file), .sha256 = sha256_file(unit.file), .note = {}});
  fs::remove_all(dir / "state" / "encode");
  fs::remove_all(dir / "state" / "reduce");
  const ProcessResult result = bench->start("ones", 1);
  ASSERT_EQ(result.exit_code, 0) << result.text();
  EXPECT_NE(packed("ones"), packed("whole"));
  EXPECT_EQ(weights_of(dir), ones) << "not measured again";
}

TEST_F(FisherStage, ADamagedFileIsAnErrorAndTheNextStartMakesItAnew) {
  const fs::path dir = copy_of_whole("damaged");
  fs::remove_all(dir / "state" / "encode");
  std::string bytes = read_text_file(dir / "fisher.h5");
  bytes.at(bytes.size() / 2) = static_cast<char>(bytes.at(bytes.size() / 2) ^ 0x10);
  write_text_file(dir / "fisher.h5", bytes);
  const ProcessResult first = bench->start("damaged", 2);
  EXPECT_NE(first.exit_code, 0);
  EXPECT_THAT(first.text(), ::testing::AllOf(HasSubstr("fisher.h5"), HasSubstr("start again")));
  const ProcessResult second = bench->start("damaged", 2);
  EXPECT_EQ(second.exit_code, 0) << second.text();
  EXPECT_EQ(hash_of("damaged"), hash_of("whole"));
  EXPECT_EQ(packed("damaged"), packed("whole"));
}

TEST_F(FisherStage, ALostFileIsMadeAnewAndNothingElse) {
  const fs::path dir = copy_of_whole("lost");
  fs::remove(dir / "fisher.h5");
  const auto before = times_below(dir / "state");
  ASSERT_EQ(bench->start("lost", 2).exit_code, 0);
  EXPECT_EQ(hash_of("lost"), hash_of("whole"));
  for (const auto& [file, time] : times_below(dir / "state")) {
    if (file != "fisher/model.json" && file != "seconds.json") {
      EXPECT_EQ(before.at(file), time) << file;
    }
  }
}

TEST_F(FisherStage, IsSharedByRunsOfTheSameModelAndSequences) {
  const std::string shared = "run.shared=" + (bench->root() / "shared").string();
  run_new("first", 1, {"--set", shared});
  run_new("second", 2, {"--set", shared, "--set", "binarize.split_points=1"});
  for (const char* run : {"first", "second"}) {
    EXPECT_FALSE(fs::exists(bench->run_dir(run) / "fisher.h5"));
    EXPECT_FALSE(fs::exists(bench->run_dir(run) / "state" / "fisher"));
  }
  std::vector<fs::path> found;
  for (const auto& entry : fs::recursive_directory_iterator(bench->root() / "shared")) {
    if (entry.path().filename() == "fisher.h5") {
      found.push_back(entry.path());
    }
  }
  ASSERT_EQ(found.size(), 1U);
  EXPECT_EQ(sha256_file(found[0]), hash_of("whole"));
  EXPECT_EQ(packed("first"), packed("whole"));
}

}  // namespace
}  // namespace btc::test
