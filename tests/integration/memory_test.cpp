/// Memory does not grow with the number of calibration sequences.

#include <gmock/gmock.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "io/atomic_file.hpp"
#include "support/pipeline_run.hpp"

namespace btc::test {
namespace {

constexpr std::size_t kTokens = 1024;
constexpr std::size_t kHidden = 256;
/// Hidden states of one sequence in fp32: 1 MiB.
constexpr std::uint64_t kSequenceBytes = kTokens * kHidden * sizeof(float);

/// Of the rank that needed most, in the run of this number.
std::uint64_t peak_bytes(const ToyBench& bench, std::size_t sequences, int number) {
  const std::string run = concat(sequences, "-", number);
  bench.configure(run, {.calibration = concat("{source: ids, path: CALIBRATION, samples: ",
                                              sequences, ", window: ", kTokens, "}"),
                        .binarize = "{iterations: 1, split_points: 0, salient: none}"});
  const ProcessResult result = bench.start(run, 2);
  EXPECT_EQ(result.exit_code, 0) << result.text();
  const auto results = nlohmann::json::parse(read_text_file(bench.run_dir(run) / "results.json"));
  const auto peaks = results.at("btc").at("peak_rss_bytes").get<std::vector<std::uint64_t>>();
  return *std::max_element(peaks.begin(), peaks.end());
}

TEST(Memory, OfARankHoldsAFewSequencesWhateverTheirNumber) {
  constexpr std::size_t kFew = 8;
  constexpr std::size_t kMany = 64;
  constexpr std::uint64_t kAllowedGrowth = 8 * kSequenceBytes;
  const ToyBench bench("memory", ToyModel{.hidden = kHidden,
                                          .intermediate = kHidden,
                                          .blocks = 3,
                                          .head_dim = 64,
                                          .max_position = kTokens});
  write_toy_sequences(bench.calibration(), 64, kMany, kTokens, 1);
  const std::uint64_t few = peak_bytes(bench, kFew, 0);
  std::uint64_t many = peak_bytes(bench, kMany, 0);
  // Which rank took how many units, and what the allocator keeps, adds some MiB now and then, but
  // not in every run.
  for (int number = 1; number < 3 && many >= few + kAllowedGrowth; ++number) {
    many = std::min(many, peak_bytes(bench, kMany, number));
  }
  RecordProperty("few_mib", static_cast<int>(few >> 20U));
  RecordProperty("many_mib", static_cast<int>(many >> 20U));
  EXPECT_LT(many, few + kAllowedGrowth) << "of " << (kMany - kFew) * kSequenceBytes << " more";
}

}  // namespace
}  // namespace btc::test
