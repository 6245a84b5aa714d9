/// Both backends pack the same integers, and scales that are equal but for rounding.

#include <gmock/gmock.h>

#include <algorithm>
#include <cmath>

#include "common/error.hpp"
#include "io/safetensors.hpp"
#include "support/pipeline_run.hpp"

namespace btc::test {
namespace {

struct Case {
  std::string name;
  ToyModel toy;
  ToySettings settings;
};

void PrintTo(const Case& test_case, std::ostream* out) {  // NOLINT(readability-identifier-naming)
  *out << test_case.name;
}

std::vector<Case> cases() {
  return {{"quickstart_settings", {}, {}},
          {"row_scales",
           {.family = "qwen2", .intermediate = 86, .tied_head = true},
           {.binarize = "{split_points: 1, split_rule: fraction, group_fractions: [0.05], scales: "
                        "row, salient: none, compensation: sequential}",
            .codebook = "{vector_length: 8, target_bits: 0.7}"}},
          {"post_hamming_linear",
           {.family = "qwen3", .intermediate = 100},
           {.binarize = "{split_points: 2, split_rule: search, salient: search, compensation: "
                        "exact}",
            .codebook = "{vector_length: 10, target_bits: 0.6, scope: linear, assignment: hamming, "
                        "encode: post}"}}};
}

/// Signs, indices, maps and what is copied must be equal; scales may differ in the last bits, since
/// backends add in other orders.
void expect_same(const TensorView& one, const TensorView& other) {
  ASSERT_EQ(one.shape, other.shape);
  ASSERT_EQ(one.dtype, other.dtype);
  if (one.dtype != DType::kF16) {
    EXPECT_TRUE(std::ranges::equal(one.bytes, other.bytes)) << "integers differ";
    return;
  }
  constexpr float kTwoUnits = 0x1p-9F;  // in the last place of fp16
  const std::vector<float> expected = to_float(one);
  const std::vector<float> found = to_float(other);
  for (std::size_t i = 0; i < expected.size(); ++i) {
    ASSERT_NEAR(found[i], expected[i], kTwoUnits * std::abs(expected[i])) << "value " << i;
  }
}

/// @return how many tensors were compared
std::size_t expect_same_tensors(const std::filesystem::path& one,
                                const std::filesystem::path& other) {
  std::size_t count = 0;
  for (const auto& entry : std::filesystem::directory_iterator(one)) {
    if (entry.path().extension() != ".safetensors") {
      continue;
    }
    const SafetensorsFile expected = SafetensorsFile::open(entry.path());
    const SafetensorsFile found = SafetensorsFile::open(other / entry.path().filename());
    EXPECT_EQ(found.tensors().size(), expected.tensors().size());
    for (const TensorView& tensor : expected.tensors()) {
      SCOPED_TRACE(entry.path().filename().string() + " " + tensor.name);
      expect_same(tensor, found.at(tensor.name));
      ++count;
    }
  }
  return count;
}

class Backends : public ::testing::TestWithParam<Case> {};

TEST_P(Backends, PackTheSameIntegers) {
  const ToyBench bench("backends", GetParam().toy);
  for (const char* const backend : {"reference", "cpu"}) {
    bench.configure(backend, GetParam().settings);
    const ProcessResult result =
        bench.start(backend, 2, {"--set", concat("compute.backend=", backend)});
    ASSERT_EQ(result.exit_code, 0) << result.text();
  }
  EXPECT_GE(
      expect_same_tensors(bench.run_dir("reference") / "model", bench.run_dir("cpu") / "model"),
      60U);
}

INSTANTIATE_TEST_SUITE_P(Settings, Backends, ::testing::ValuesIn(cases()),
                         [](const auto& given) { return given.param.name; });

}  // namespace
}  // namespace btc::test
