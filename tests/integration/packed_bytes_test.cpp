/// The packed bytes do not depend on how many ranks made them.

#include <gmock/gmock.h>

#include "support/pipeline_run.hpp"

namespace btc::test {
namespace {

struct Case {
  std::string name;
  ToyModel toy;
  ToySettings settings;
  std::vector<int> ranks = {2, 3};
};

void PrintTo(const Case& test_case, std::ostream* out) {  // NOLINT(readability-identifier-naming)
  *out << test_case.name;
}

std::vector<Case> cases_with_groups() {
  return {
      {.name = "quickstart_settings", .toy = {.blocks = 3}, .settings = {}, .ranks = {2, 3, 5}},
      {.name = "row_scales_with_sparse_groups_qwen2_tied",
       .toy = {.family = "qwen2",
               .hidden = 40,
               .intermediate = 86,
               .blocks = 3,
               .heads = 5,
               .kv_heads = 1,
               .tied_head = true,
               .dtype = DType::kF16,
               .shards = 3},
       .settings = {.binarize = "{split_points: 1, split_rule: fraction, group_fractions: [0.05], "
                                "scales: row_ratio_i8, salient: none, "
                                "compensation: sequential}",
                    .codebook = "{vector_length: 8, target_bits: 0.7, scope: model}",
                    .refine = "{block_epochs: 2, block_sign_learning_rate: 0.1, kd_epochs: 2, "
                              "kd_sign_learning_rate: 0.1, "
                              "batch: 3}"},
       .ranks = {2, 5}},
      {.name = "no_codebook_qwen3",
       .toy = {.family = "qwen3",
               .hidden = 40,
               .intermediate = 86,
               .heads = 3,
               .kv_heads = 1,
               .head_dim = 16,
               .dtype = DType::kF32},
       .settings = {.binarize = "{split_points: 2, split_rule: search, salient: search, "
                                "compensation: block}",
                    .codebook = "none",
                    .refine = "{kd_epochs: 2, batch: 4}"}},
      {.name = "codebook_of_each_linear",
       .toy = {.intermediate = 100, .blocks = 2},
       .settings = {.binarize = "{split_points: 1, split_rule: ratio2, salient: fraction, "
                                "salient_fraction: 0.1, compensation: exact}",
                    .codebook = "{vector_length: 10, centroids: 50, scope: linear, init: random}",
                    .refine = "{dense_epochs: 1, batch: 2}"}},
      {.name = "codebook_of_each_block_post_hamming",
       .toy =
           {.family = "qwen3", .blocks = 3, .heads = 2, .kv_heads = 2, .head_dim = 16, .shards = 2},
       .settings = {.binarize = "{split_points: 0, salient: none, compensation: none}",
                    .codebook = "{vector_length: 12, target_bits: 0.5, scope: block, "
                                "assignment: hamming, encode: post}"}},
      {.name = "codebook_of_each_panel",
       .toy = {.intermediate = 90, .blocks = 2},
       .settings = {.binarize = "{split_points: 1, panel: 24}",
                    .codebook = "{vector_length: 8, target_bits: 0.6, scope: block_group}",
                    .refine = "{block_epochs: 1, kd_epochs: 1, batch: 4}"}},
      {.name = "sets_as_in_the_paper",
       .toy = {.intermediate = 90, .blocks = 2},
       .settings = {.binarize = "{split_points: 2, split_rule: search, compensation: block}",
                    .codebook = "{vector_length: 8, target_bits: 0.6, layout: masked, "
                                "assignment: hamming, encode: post}",
                    .refine = "{block_epochs: 1, kd_epochs: 1, batch: 4}"}},
  };
}

/// Heads share keys and values, and are wider than hidden / heads.
const ToyModel kWideHeads = {.family = "qwen2",
                             .hidden = 48,
                             .intermediate = 70,
                             .blocks = 2,
                             .heads = 6,
                             .kv_heads = 2,
                             .head_dim = 16};

std::vector<Case> other_cases() {
  return {
      {.name = "one_block_three_split_points",
       .toy = {.hidden = 48, .intermediate = 130, .blocks = 1, .heads = 6, .kv_heads = 3},
       .settings = {.binarize = "{split_points: 3, split_rule: magnitude, salient: search, "
                                "panel: 32, compensation: sequential}",
                    .codebook = "{vector_length: 16, target_bits: 0.6, refit: false}"}},
      {.name = "gptq",
       .toy = {.intermediate = 90, .blocks = 2},
       .settings = {.binarize = "{uniform: gptq, uniform_bits: 3, split_points: 0, salient: none, "
                                "panel: 24}",
                    .codebook = "none",
                    .refine = "{kd_epochs: 1, batch: 4}"}},
      {.name = "given_scales",
       .toy = {.intermediate = 90, .blocks = 2, .binary = true},
       .settings = {.binarize = "{scales: given, split_points: 0, salient: none}",
                    .codebook = "{vector_length: 8, target_bits: 0.7}"}},
      {.name = "linear_code",
       .toy = {.hidden = 40, .intermediate = 90, .blocks = 2, .heads = 5, .kv_heads = 5},
       .settings = {.binarize = "{split_points: 1, salient: fraction, salient_fraction: 0.1}",
                    .codebook = "{codec: linear_20_16, vector_length: 20}"}},
      {.name = "random_transform_qwen2_trained",
       .toy = kWideHeads,
       .settings = {.binarize = "{salient: none}",
                    .codebook = "{vector_length: 8, target_bits: 0.7, scope: model}",
                    .transform = "{kind: random}",
                    .refine =
                        "{dense_epochs: 1, block_epochs: 1, kd_epochs: 1, kd_sign_learning_rate: "
                        "0.001, batch: 3}"}},
      {.name = "learned_transform",
       .toy = kWideHeads,
       .settings = {.binarize = "{split_points: 1}",
                    .codebook = "{vector_length: 8, target_bits: 0.7, scope: model}",
                    .transform = "{kind: flatquant, epochs: 2, batch: 3, similarity: 0.1, "
                                 "balance: 0.1}"}},
      {.name = "learned_signs_alone",
       .toy = {.blocks = 2},
       .settings = {.transform =
                        "{kind: btc_paper, factors: false, start: identity, precision: bf16}"},
       .ranks = {2}},
      {.name = "two_sweeps_trained",
       .toy = {.hidden = 48, .blocks = 3, .heads = 6, .kv_heads = 2},
       .settings = {.calibration =
                        "{source: ids, path: CALIBRATION, samples: 8, window: 32, sweeps: 2}",
                    .transform = "{kind: random}",
                    .refine = "{dense_epochs: 1, block_epochs: 1, kd_epochs: 1, batch: 3}"}},
      {.name = "self_sampled_two_threads",
       .toy = {.blocks = 3},
       .settings = {.calibration = "{source: self, samples: 8, window: 32}",
                    .compute = "{backend: cpu, threads_per_rank: 2}"}},
  };
}

std::vector<Case> cases() {
  std::vector<Case> all = cases_with_groups();
  const std::vector<Case> others = other_cases();
  all.insert(all.end(), others.begin(), others.end());
  return all;
}

class PackedBytes : public ::testing::TestWithParam<Case> {};

TEST_P(PackedBytes, DoNotDependOnTheNumberOfRanks) {
  const Case& given = GetParam();
  const ToyBench bench("packed-bytes", given.toy);
  bench.configure("1", given.settings);
  const ProcessResult alone = bench.start("1", 1);
  ASSERT_EQ(alone.exit_code, 0) << alone.text();
  const auto expected = hashes_below(bench.run_dir("1") / "model");
  EXPECT_THAT(expected, ::testing::Contains(::testing::Key("manifest.json")));
  EXPECT_GE(expected.size(), static_cast<std::size_t>(given.toy.blocks) + 2);
  for (const int ranks : given.ranks) {
    const std::string run = std::to_string(ranks);
    bench.configure(run, given.settings);
    const ProcessResult several = bench.start(run, ranks);
    ASSERT_EQ(several.exit_code, 0) << several.text();
    EXPECT_EQ(hashes_below(bench.run_dir(run) / "model"), expected) << ranks << " ranks";
  }
}

INSTANTIATE_TEST_SUITE_P(Settings, PackedBytes, ::testing::ValuesIn(cases()),
                         [](const auto& given) { return given.param.name; });

}  // namespace
}  // namespace btc::test
