/// `calibration.sweeps`: later sweeps quantize for inputs that have passed the quantized model.

#include <gmock/gmock.h>

#include "calibration/activation_store.hpp"
#include "support/pipeline_run.hpp"

namespace btc::test {
namespace {

namespace fs = std::filesystem;

const char* const kTwoSweeps = "calibration.sweeps=2";

ToySettings settings() {
  return {.codebook = "{vector_length: 8, target_bits: 0.7, scope: model}",
          .transform = "{kind: random}"};
}

std::string content_of(const fs::path& run, int block) {
  return ActivationReader(run / "activations" / concat("block-0000", block, ".h5")).content_hash();
}

class Propagation : public ::testing::Test {
 protected:
  void run(const std::string& name, const std::vector<std::string>& arguments = {}) const {
    const ProcessResult result = bench_.start(name, 2, arguments);
    ASSERT_EQ(result.exit_code, 0) << result.text();
  }

  const ToyBench bench_{"propagation", {.hidden = 48, .blocks = 3, .heads = 6, .kv_heads = 2}};
};

TEST_F(Propagation, InputsOfTheSecondSweepPassTheModelOfTheFirst) {
  bench_.configure("once", settings());
  bench_.configure("twice", settings());
  run("once");
  run("twice", {"--set", kTwoSweeps});

  const fs::path dense = bench_.root() / "dense";
  const ProcessResult exported =
      run_process({program("btc"), "export", "--dtype", "fp32", "--model",
                   (bench_.run_dir("once") / "model").string(), "--out", dense.string()});
  ASSERT_EQ(exported.exit_code, 0) << exported.text();
  bench_.configure("of the quantized", settings());
  run("of the quantized", {"--set", concat("model.path=", dense.string())});

  const fs::path twice = bench_.run_dir("twice");
  for (const int block : {1, 2}) {
    EXPECT_EQ(content_of(twice, block), content_of(bench_.run_dir("once"), block));
    EXPECT_EQ(content_of(twice / "sweep-2", block),
              content_of(bench_.run_dir("of the quantized"), block));
    EXPECT_NE(content_of(twice / "sweep-2", block), content_of(twice, block));
  }
  EXPECT_NE(hashes_below(twice / "packed"), hashes_below(twice / "sweep-2/packed"));
  EXPECT_NE(hashes_below(twice / "model"), hashes_below(bench_.run_dir("once") / "model"));
}

TEST_F(Propagation, ASecondSweepGoesOnFromTheFirst) {
  bench_.configure("grown", settings());
  bench_.configure("at once", settings());
  run("at once", {"--set", kTwoSweeps});
  run("grown");
  const fs::path grown = bench_.run_dir("grown");
  const auto before = times_below(grown / "packed");
  run("grown", {"--set", kTwoSweeps});
  EXPECT_EQ(times_below(grown / "packed"), before);
  EXPECT_EQ(hashes_below(grown / "model"), hashes_below(bench_.run_dir("at once") / "model"));

  fs::remove(grown / "sweep-2/packed/block-00001.safetensors");
  const auto binarized = times_below(grown / "sweep-2/binarized");
  run("grown", {"--set", kTwoSweeps});
  EXPECT_EQ(times_below(grown / "sweep-2/binarized"), binarized);
  EXPECT_EQ(hashes_below(grown / "sweep-2/packed"),
            hashes_below(bench_.run_dir("at once") / "sweep-2/packed"));
}

}  // namespace
}  // namespace btc::test
