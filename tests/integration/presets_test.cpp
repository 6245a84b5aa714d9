/// Every shipped preset: planned on a real model's shapes, run on a toy.

#include <gmock/gmock.h>

#include <algorithm>
#include <cctype>
#include <nlohmann/json.hpp>

#include "common/error.hpp"
#include "io/atomic_file.hpp"
#include "support/pipeline_run.hpp"

namespace btc::test {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;
using ::testing::HasSubstr;

std::vector<std::string> preset_names() {
  std::vector<std::string> names;
  for (const auto& entry : fs::directory_iterator(BTC_SOURCE_DIR "/configs/presets")) {
    names.push_back(entry.path().stem().string());
  }
  std::sort(names.begin(), names.end());
  return names;
}

/// A configuration that is a preset and nothing else about the quantization.
void configure_preset(const ToyBench& bench, const std::string& preset, const fs::path& model) {
  write_text_file(
      bench.config("toy"),
      concat("run: {dir: ", bench.run_dir("toy").string(), "}\nmodel: {path: ", model.string(),
             "}\ncalibration: {source: ids, path: ", bench.calibration().string(),
             ", samples: 8, window: 32}\npreset: ", preset, "\n"));
}

class Presets : public ::testing::TestWithParam<std::string> {};

TEST_P(Presets, ArePlannedForARealModel) {
  const ToyBench bench("preset-plan", {});
  configure_preset(bench, GetParam(), BTC_SOURCE_DIR "/configs/shapes/LLaMA-2-7B");
  const ProcessResult plan =
      run_process({program("btc_pipeline"), "--plan", "--config", bench.config("toy").string()});
  ASSERT_EQ(plan.exit_code, 0) << plan.text();
  EXPECT_THAT(plan.out, HasSubstr("predicted bits"));
}

TEST_P(Presets, PackAToyAsPlanned) {
  const ToyBench bench("preset", {.intermediate = 96, .blocks = 2});
  configure_preset(bench, GetParam(), bench.model());
  const ProcessResult result = bench.start("toy", 1);
  ASSERT_EQ(result.exit_code, 0) << result.text();
  const fs::path run = bench.run_dir("toy");
  const json planned = json::parse(read_text_file(run / "plan.json")).at("bits");
  const json results = json::parse(read_text_file(run / "results.json"));
  const json& packed = results.at("btc").at("bits");
  EXPECT_NEAR(planned.at("nominal"), packed.at("nominal"), 1e-9);
  // On few rows and columns, what the plan can only expect weighs much: how many columns are
  // salient, how many patterns occur.
  EXPECT_NEAR(planned.at("stored").get<double>() / packed.at("stored").get<double>(), 1, 0.3);
}

INSTANTIATE_TEST_SUITE_P(Shipped, Presets, ::testing::ValuesIn(preset_names()),
                         [](const auto& preset) {
                           std::string name = preset.param;
                           std::replace_if(
                               name.begin(), name.end(),
                               [](unsigned char c) { return std::isalnum(c) == 0; }, '_');
                           return name;
                         });

}  // namespace
}  // namespace btc::test
