/// Both backends pack the same tensors.

#include <gmock/gmock.h>

#include "common/error.hpp"
#include "common/hash.hpp"
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

/// SHA-256 of every stored tensor by file and name. Whole files differ: they name the backend's
/// fingerprint.
std::map<std::string, std::string> tensors_below(const std::filesystem::path& model) {
  std::map<std::string, std::string> hashes;
  for (const auto& entry : std::filesystem::directory_iterator(model)) {
    if (entry.path().extension() != ".safetensors") {
      continue;
    }
    const SafetensorsFile file = SafetensorsFile::open(entry.path());
    for (const TensorView& tensor : file.tensors()) {
      hashes[concat(entry.path().filename().string(), " ", tensor.name)] =
          concat(name_of(tensor.dtype), " ", tensor.bytes.size(), " ", xxh3_128_hex(tensor.bytes));
    }
  }
  return hashes;
}

class Backends : public ::testing::TestWithParam<Case> {};

TEST_P(Backends, PackTheSameTensors) {
  const ToyBench bench("backends", GetParam().toy);
  std::map<std::string, std::map<std::string, std::string>> tensors;
  for (const char* const backend : {"reference", "cpu"}) {
    bench.configure(backend, GetParam().settings);
    const ProcessResult result =
        bench.start(backend, 2, {"--set", concat("compute.backend=", backend)});
    ASSERT_EQ(result.exit_code, 0) << result.text();
    tensors[backend] = tensors_below(bench.run_dir(backend) / "model");
  }
  EXPECT_GE(tensors["cpu"].size(), 60U);
  EXPECT_EQ(tensors["cpu"], tensors["reference"]);
}

INSTANTIATE_TEST_SUITE_P(Settings, Backends, ::testing::ValuesIn(cases()),
                         [](const auto& given) { return given.param.name; });

}  // namespace
}  // namespace btc::test
