/// `btc quantize-linear` on whole Linears against the published ARB-LLM code.
/// Data: ../shared/data/arb-golden, with its README's tolerances.

#include <gmock/gmock.h>

#include <cmath>

#include "io/safetensors.hpp"
#include "support/pipeline_run.hpp"
#include "support/scratch.hpp"

namespace btc::test {
namespace {

namespace fs = std::filesystem;

const fs::path kGolden = BTC_SOURCE_DIR "/../shared/data/arb-golden";

/// One run of the published code and the settings that stand for it.
struct GoldenRun {
  const char* name;
  const char* preset;
  int split_points;
};

/// |a - b| / |b| of the columns below `end` of two tensors [n, m].
double distance(const TensorView& a, const TensorView& b, std::size_t end) {
  const auto cols = static_cast<std::size_t>(b.shape.at(1));
  const std::vector<float> left = to_float(a);
  const std::vector<float> right = to_float(b);
  double difference = 0;
  double norm = 0;
  for (std::size_t e = 0; e < right.size(); ++e) {
    if (e % cols < end) {
      const auto expected = static_cast<double>(right[e]);
      difference += std::pow(static_cast<double>(left[e]) - expected, 2);
      norm += expected * expected;
    }
  }
  return std::sqrt(difference / norm);
}

class QuantizeGolden : public ::testing::TestWithParam<std::tuple<const char*, GoldenRun>> {};

TEST_P(QuantizeGolden, MatchesThePublishedCode) {
  if (!fs::exists(kGolden)) {
    GTEST_SKIP() << "no golden vectors in " << kGolden;
  }
  const auto& [letter, run] = GetParam();
  const Scratch scratch("quantize_golden");
  const fs::path out = scratch.path() / "q.safetensors";
  const ProcessResult result =
      run_process({program("btc"), "quantize-linear", "--weights",
                   (kGolden / concat(letter, ".case.safetensors")).string(), "--inputs-tensor",
                   "inputs", "--preset", run.preset, "--set",
                   concat("binarize.split_points=", run.split_points), "--out", out.string()},
                  {});
  ASSERT_EQ(result.exit_code, 0) << result.text();
  const auto golden =
      SafetensorsFile::open(kGolden / concat(letter, ".", run.name, ".safetensors"));
  const auto ours = SafetensorsFile::open(out);
  constexpr std::size_t kAll = std::size_t{1} << 20U;
  EXPECT_LT(distance(ours.at("Q"), golden.at("Q"), 128), 1e-5) << "first panel";
  EXPECT_LT(distance(ours.at("Q"), golden.at("Q"), kAll), 2e-5);
  const double expected = std::stod(golden.metadata().at("rel_output_error"));
  EXPECT_NEAR(std::stod(ours.metadata().at("rel_output_error")), expected, 1e-4 * expected);
  EXPECT_NEAR(std::stod(ours.metadata().at("rel_output_error_stored")), expected, 0.02 * expected);
}

INSTANTIATE_TEST_SUITE_P(Runs, QuantizeGolden,
                         ::testing::Combine(::testing::Values("A", "B", "C"),
                                            ::testing::Values(GoldenRun{"arb-p1", "arb", 1},
                                                              GoldenRun{"arb-p2", "arb", 2})),
                         [](const auto& param_info) {
                           std::string name = concat(std::get<0>(param_info.param), "_",
                                                     std::get<1>(param_info.param).name);
                           std::replace(name.begin(), name.end(), '-', '_');
                           return name;
                         });

}  // namespace
}  // namespace btc::test
