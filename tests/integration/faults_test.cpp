/// Damage of every kind in the middle of a run: all ranks end with a clear error, and the same
/// command ends with the bytes of an undisturbed run.

#include <gmock/gmock.h>

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>

#include "io/atomic_file.hpp"
#include "support/pipeline_run.hpp"
#include "support/small_disk.hpp"

namespace btc::test {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;

/// All ranks must be gone after this, whatever failed.
constexpr double kLongestFailure = 30;

ToySettings with_evaluation() {
  return {.binarize = "{iterations: 3}",
          .codebook = "{vector_length: 8, target_bits: 0.8, scope: model}",
          .evaluate = "{perplexity: [{name: toy, source: ids, path: TEXT, window: 32}]}"};
}

double packed_perplexity(const fs::path& run_dir) {
  const auto results = nlohmann::json::parse(read_text_file(run_dir / "results.json"));
  return results.at("btc").at("perplexity").at(1).at("value").get<double>();
}

void expect_failure(const ProcessResult& result, const std::vector<std::string>& words) {
  EXPECT_NE(result.exit_code, 0);
  EXPECT_FALSE(result.timed_out);
  EXPECT_LT(result.seconds, kLongestFailure);
  for (const std::string& word : words) {
    EXPECT_THAT(result.text(), HasSubstr(word));
  }
}

/// Changes one bit; byte -1 is the last one.
void flip_bit(const fs::path& file, std::ptrdiff_t byte) {
  std::string bytes = read_bytes(file);
  char& changed = byte < 0 ? bytes.at(bytes.size() - static_cast<std::size_t>(-byte))
                           : bytes.at(static_cast<std::size_t>(byte));
  changed = static_cast<char>(changed ^ 0x10);
  write_bytes(file, bytes);
}

/// Zeros from the middle on: what a file system may leave of a file after a power failure.
void zero_second_half(const fs::path& file) {
  std::string bytes = read_bytes(file);
  const std::size_t half = bytes.size() / 2;
  std::fill(bytes.begin() + static_cast<std::ptrdiff_t>(half), bytes.end(), '\0');
  write_bytes(file, bytes);
}

/// A finished file of a run that is half done.
struct Damage {
  std::string name;
  std::string file;  ///< in the run directory
  std::string redo;  ///< folder or record below state/ that is lost, so that the file is read again
  bool zeros = false;       ///< the second half; else one bit
  std::ptrdiff_t byte = 0;  ///< with that bit, from the end if negative; 0: in the middle
  std::vector<std::string> words = {"rank", "block-00001"};
};

void PrintTo(const Damage& damage, std::ostream* out) {  // NOLINT(readability-identifier-naming)
  *out << damage.name;
}

/// One undisturbed run for all tests of this file.
class Faults : public ::testing::TestWithParam<Damage> {
 protected:
  static void SetUpTestSuite() {
    bench = std::make_unique<ToyBench>("faults", ToyModel{.intermediate = 86, .blocks = 3});
    bench->configure("whole", with_evaluation());
    const ProcessResult result = bench->start("whole", 2);
    ASSERT_EQ(result.exit_code, 0) << result.text();
  }
  static void TearDownTestSuite() { bench.reset(); }

  /// A copy of the undisturbed run that can go on under its own name.
  static fs::path copy_of_whole(const std::string& run) {
    bench->configure(run, with_evaluation());
    fs::copy(bench->run_dir("whole"), bench->run_dir(run), fs::copy_options::recursive);
    return bench->run_dir(run);
  }
  static void expect_undisturbed(const std::string& run) {
    EXPECT_EQ(hashes_below(bench->run_dir(run) / "model"),
              hashes_below(bench->run_dir("whole") / "model"));
    EXPECT_EQ(packed_perplexity(bench->run_dir(run)), packed_perplexity(bench->run_dir("whole")));
  }

  static std::unique_ptr<ToyBench> bench;
};

std::unique_ptr<ToyBench>
    Faults::bench;  // NOLINT(cppcoreguidelines-avoid-non-const-global-variables)

TEST_P(Faults, ADamagedFileIsAnErrorAndTheNextStartMakesItAnew) {
  const Damage& damage = GetParam();
  const fs::path dir = copy_of_whole(damage.name);
  ASSERT_GT(fs::remove_all(dir / "state" / damage.redo), 0U);
  const fs::path file = dir / damage.file;
  if (damage.zeros) {
    zero_second_half(file);
  } else {
    const auto middle = static_cast<std::ptrdiff_t>(fs::file_size(file) / 2);
    flip_bit(file, damage.byte == 0 ? middle : damage.byte);
  }
  const ProcessResult first = bench->start(damage.name, 2);
  expect_failure(first, damage.words);
  EXPECT_THAT(first.text(), HasSubstr("start again"));
  const ProcessResult second = bench->start(damage.name, 2);
  EXPECT_EQ(second.exit_code, 0) << second.text();
  expect_undisturbed(damage.name);
}

INSTANTIATE_TEST_SUITE_P(
    Files, Faults,
    ::testing::Values(
        Damage{.name = "sequences",
               .file = "calibration.h5",
               .redo = "capture",
               .byte = -100,
               .words = {"rank", "calibration.h5"}},
        Damage{.name = "capture_input",
               .file = "activations/block-00001.h5",
               .redo = "capture/block-00002.json",
               .words = {"rank 0", "capture, block 1", "block-00001.h5", "sequence"}},
        Damage{.name = "binarize_input", .file = "activations/block-00001.h5", .redo = "binarize"},
        Damage{.name = "binarize_zeros",
               .file = "activations/block-00001.h5",
               .redo = "binarize",
               .zeros = true},
        Damage{.name = "codebook_input",
               .file = "binarized/block-00001.h5",
               .redo = "codebook",
               .zeros = true},
        Damage{.name = "encode_input", .file = "binarized/block-00001.h5", .redo = "encode"},
        Damage{.name = "encode_zeros",
               .file = "binarized/block-00001.h5",
               .redo = "encode",
               .zeros = true},
        Damage{.name = "codebook",
               .file = "codebooks/model.h5",
               .redo = "encode",
               .words = {"rank", "model.h5"}},
        Damage{.name = "reduce_input", .file = "packed/block-00001.safetensors", .redo = "reduce"},
        Damage{.name = "packed_model",
               .file = "model/model-00002-of-00004.safetensors",
               .redo = "evaluate",
               .words = {"rank 0", "model-00002-of-00004.safetensors"}},
        Damage{.name = "windows",
               .file = "evaluation/toy.h5",
               .redo = "evaluate",
               .byte = -100,
               .words = {"rank", "toy.h5"}}),
    [](const auto& test) { return test.param.name; });

TEST_F(Faults, AShorterFileIsNoticedAtTheStart) {
  const fs::path dir = copy_of_whole("shorter");
  fs::remove_all(dir / "state" / "binarize");
  fs::resize_file(dir / "activations" / "block-00001.h5", 3000);
  const ProcessResult result = bench->start("shorter", 2);
  EXPECT_EQ(result.exit_code, 0) << result.text();
  expect_undisturbed("shorter");
}

TEST_F(Faults, FullVerificationFindsDamageInAFinishedRun) {
  const fs::path dir = copy_of_whole("verified");
  flip_bit(dir / "activations" / "block-00000.h5", -1);
  flip_bit(dir / "packed" / "block-00002.safetensors", -1);
  flip_bit(dir / "model" / "model-00004-of-00004.safetensors", -1);
  const ProcessResult result = bench->start("verified", 2, {"--set", "resume.verify=full"});
  EXPECT_EQ(result.exit_code, 0) << result.text();
  expect_undisturbed("verified");
}

TEST_F(Faults, AStartRemovesWhatAKilledOneLeft) {
  const fs::path dir = copy_of_whole("stale");
  // Written under process id 2^30 - 1, which no process has.
  const std::string own = temporary_path(dir / "packed" / "x").string();
  const fs::path stale = own.substr(0, own.rfind('.') + 1) + "1073741823";
  write_bytes(stale, "half");
  EXPECT_EQ(bench->start("stale", 1).exit_code, 0);
  EXPECT_FALSE(fs::exists(stale));
}

TEST_F(Faults, NoTemporaryFileIsLeftAfterSuccess) {
  for (const auto& entry : fs::recursive_directory_iterator(bench->run_dir("whole"))) {
    EXPECT_THAT(entry.path().string(), ::testing::Not(HasSubstr(".tmp.")));
  }
}

/// The weights of the model change, but neither size nor time of their file does.
class ChangedWeights : public Faults {
 protected:
  ChangedWeights()
      : path_(bench->model() / "model.safetensors"),
        bytes_(read_bytes(path_)),
        time_(fs::last_write_time(path_)) {}
  ~ChangedWeights() override { replace(bytes_); }
  ChangedWeights(const ChangedWeights&) = delete;
  ChangedWeights& operator=(const ChangedWeights&) = delete;

  void change(const std::string& tensor) const {
    std::string bytes = bytes_;
    bytes.at(SafetensorsFile::open(path_).at(tensor).file_offset) ^= 1;
    replace(bytes);
  }
  void replace(const std::string& bytes) const {
    write_bytes(path_, bytes);
    fs::last_write_time(path_, time_);
  }

  fs::path path_;
  std::string bytes_;
  fs::file_time_type time_;
};

TEST_F(ChangedWeights, AreNoticedByEveryStageThatReadsThem) {
  const std::string block = "model.layers.1.mlp.up_proj.weight";
  const std::string embedding = "model.embed_tokens.weight";
  const std::vector<std::array<std::string, 3>> cases = {
      {"capture", embedding, "embedding, final norm or head"},
      {"binarize", block, "block-00001"},
      {"encode", block, "block-00001"},
      {"reduce", embedding, "embedding, final norm or head"},
      {"evaluate", block, "block 1"}};
  for (const auto& [stage, tensor, named] : cases) {
    const std::string run = "changed-" + stage;
    fs::remove_all(copy_of_whole(run) / "state" / stage);
    change(tensor);
    const ProcessResult result = bench->start(run, 2);
    expect_failure(result, {"rank", named, "a weight file changed", "resume.verify=full"});
    replace(bytes_);
  }
}

TEST_F(ChangedWeights, ArePackedAfterFullVerification) {
  const fs::path dir = copy_of_whole("new-weights");
  change("model.layers.1.mlp.up_proj.weight");
  const ProcessResult result = bench->start("new-weights", 2, {"--set", "resume.verify=full"});
  EXPECT_EQ(result.exit_code, 0) << result.text();
  fs::remove_all(dir / "model");
  bench->configure("from-scratch", with_evaluation());
  EXPECT_EQ(bench->start("from-scratch", 2).exit_code, 0);
  EXPECT_EQ(bench->start("new-weights", 2).exit_code, 0);
  EXPECT_EQ(hashes_below(dir / "model"), hashes_below(bench->run_dir("from-scratch") / "model"));
}

TEST_F(Faults, AFullDiskIsNamedAndNothingHalfIsLeft) {
  constexpr std::size_t kKi = 1024;
  for (const std::size_t size : {4 * kKi, 24 * kKi, 100 * kKi, 160 * kKi, 240 * kKi}) {
    const std::string run = concat("full-", size);
    bench->configure(run, with_evaluation());
    const SmallDisk disk(bench->run_dir(run), size);
    if (!disk.missing_reason().empty()) {
      GTEST_SKIP() << disk.missing_reason();
    }
    expect_failure(bench->start(run, 2), {"rank", "No space left on device"});
    for (const auto& entry : fs::recursive_directory_iterator(disk.path())) {
      EXPECT_THAT(entry.path().string(), ::testing::Not(HasSubstr(".tmp."))) << size;
    }
  }
}

}  // namespace
}  // namespace btc::test
