#include "pipeline/plan.hpp"

#include <gmock/gmock.h>

#include <algorithm>

#include "common/error.hpp"
#include "pipeline/device_memory.hpp"
#include "pipeline/encode.hpp"

namespace btc {
namespace {

constexpr std::string_view kLlama7b = R"({
  "architectures": ["LlamaForCausalLM"], "model_type": "llama", "hidden_size": 4096,
  "intermediate_size": 11008, "num_hidden_layers": 32, "num_attention_heads": 32,
  "num_key_value_heads": 32, "vocab_size": 32000, "max_position_embeddings": 4096,
  "rms_norm_eps": 1e-05, "hidden_act": "silu", "torch_dtype": "float16",
  "tie_word_embeddings": false, "bos_token_id": 1, "eos_token_id": 2})";

PipelineConfig paper_config() {
  PipelineConfig config;
  config.codebook = CodebookParams{};
  config.codebook->target_bits = 0.8;
  return config;
}

PipelineConfig row_config() {
  PipelineConfig config = paper_config();
  config.binarize.split_points = 0;
  config.binarize.salient = SalientRule::kNone;
  config.binarize.scales = ScaleLayout::kRow;
  config.codebook->scope = CodebookScope::kLinear;
  return config;
}

TEST(Plan, Llama7bNumbersAreTheKnownOnes) {
  const Plan plan = make_plan(paper_config(), parse_model_config(kLlama7b, "test"), 8);
  EXPECT_EQ(plan.linear_weights, 6'476'005'376U);
  EXPECT_EQ(plan.parameters, 6'738'415'616U);
  EXPECT_NEAR(static_cast<double>(plan.activation_bytes), 68.7e9, 0.1e9)
      << "128 sequences of 2048 tokens";
  EXPECT_NEAR(plan.bits.nominal, 0.8, 1e-4);
  EXPECT_NEAR(plan.bits.stored, 3.48, 0.02) << "two split points, salient plane, raw residual";
}

TEST(Plan, RowScalesReallyStaySmall) {
  const Plan plan = make_plan(row_config(), parse_model_config(kLlama7b, "test"), 8);
  EXPECT_NEAR(plan.bits.stored, 0.81, 0.005);
}

TEST(Plan, BindsWindowsToTheModel) {
  PipelineConfig config = paper_config();
  config.calibration.window = 8192;
  EXPECT_THROW((void)make_plan(config, parse_model_config(kLlama7b, "test"), 1), ConfigError);
}

TEST(Plan, TextAndJsonNameEveryStage) {
  const Plan plan = make_plan(paper_config(), parse_model_config(kLlama7b, "test"), 8);
  const std::string text = describe_plan(plan);
  const std::string json = plan_json(plan);
  for (const char* stage :
       {"sequences", "capture", "binarize", "codebook", "encode", "reduce", "evaluate"}) {
    EXPECT_THAT(text, ::testing::HasSubstr(stage));
    EXPECT_THAT(json, ::testing::HasSubstr(stage));
  }
}

TEST(Plan, SweepsRepeatTheQuantization) {
  PipelineConfig config = row_config();
  const ModelConfig model = parse_model_config(kLlama7b, "test");
  const Plan once = make_plan(config, model, 8);
  config.calibration.sweeps = 3;
  const Plan plan = make_plan(config, model, 8);
  ASSERT_EQ(plan.stages.size(), once.stages.size());
  EXPECT_EQ(plan.stages[1].units, 32U + 2 * 31) << "block 0 has the same input in every sweep";
  EXPECT_EQ(plan.activation_bytes, once.activation_bytes / 32 * (32 + 2 * 31));
  for (const std::size_t stage : {2U, 3U, 4U}) {
    EXPECT_EQ(plan.stages[stage].units, 3 * once.stages[stage].units);
    EXPECT_EQ(plan.stages[stage].bytes_written, 3 * once.stages[stage].bytes_written);
  }
  EXPECT_EQ(plan.bits.stored, once.bits.stored);
}

TEST(Plan, RefinementAddsAStageAndNoStoredBit) {
  PipelineConfig config = row_config();
  const ModelConfig model = parse_model_config(kLlama7b, "test");
  const Plan without = make_plan(config, model, 8);
  config.refine.block_epochs = 4;
  const Plan plan = make_plan(config, model, 8);
  EXPECT_EQ(plan.bits.stored, without.bits.stored);
  ASSERT_EQ(plan.stages.size(), without.stages.size() + 1);
  EXPECT_EQ(plan.stages[5].name, "refine");
  EXPECT_EQ(plan.stages[5].units, 32U);
  EXPECT_GT(plan.stages[5].memory, 4U * 800'000'000U)
      << "dense weights, gradients and the original";
  EXPECT_GT(plan.disk_bytes, without.disk_bytes);
  EXPECT_EQ(plan.stages[4].memory, without.stages[4].memory);
  config.refine.kd_epochs = 2;
  const Plan distilled = make_plan(config, model, 8);
  ASSERT_EQ(distilled.stages.size(), plan.stages.size() + 1);
  EXPECT_EQ(distilled.stages[6].name, "distill");
  EXPECT_EQ(distilled.stages[6].units, 34U);
  EXPECT_GT(distilled.stages[6].memory, 6'476'005'376U) << "the quantized model";
  EXPECT_LT(distilled.stages[6].memory, 4 * 6'476'005'376U) << "is never dense as a whole";
}

TEST(Plan, TuningDenseLinearsAddsTheFisherInformationAndWorkWhileEncoding) {
  PipelineConfig config = row_config();
  const ModelConfig model = parse_model_config(kLlama7b, "test");
  const Plan without = make_plan(config, model, 8);
  config.refine.dense_epochs = 1;
  const Plan plan = make_plan(config, model, 8);
  EXPECT_EQ(plan.bits.stored, without.bits.stored);
  ASSERT_EQ(plan.stages.size(), without.stages.size() + 1);
  const PlannedStage& fisher = plan.stages[2];
  EXPECT_EQ(fisher.name, "fisher");
  EXPECT_EQ(fisher.units, 1U);
  EXPECT_EQ(fisher.bytes_written, 32U * 4096 * 4);
  EXPECT_NEAR(static_cast<double>(fisher.bytes_read), 13.5e9 + 68.7e9 / 4, 0.1e9)
      << "the checkpoint, and 32 of 128 sequences";
  const std::uint64_t gradients = std::uint64_t{32} * 2048 * 4096 * 4;
  EXPECT_GT(fisher.memory, gradients + 800'000'000U);
  EXPECT_LT(fisher.memory, 4 * gradients);
  EXPECT_EQ(plan.stages[5].name, "encode");
  EXPECT_GT(plan.stages[5].memory, without.stages[4].memory + std::uint64_t{6} * 800'000'000U);
  EXPECT_EQ(plan.stages[5].bytes_read - without.stages[4].bytes_read,
            (6 * 2 + 4) * plan.activation_bytes)
      << "an epoch and its start before six Linears, and four inputs measured";
}

TEST(Plan, DeviceMemoryIsThatOfTheLargestLinear) {
  PipelineConfig config = paper_config();
  const ModelConfig model = parse_model_config(kLlama7b, "test");
  const Plan without = make_plan(config, model, 8);
  EXPECT_EQ(without.device_memory, 0U);
  EXPECT_THAT(describe_plan(without), ::testing::Not(::testing::HasSubstr("device memory")));
  config.compute.backend = BackendKind::kCuda;
  const Plan plan = make_plan(config, model, 8);
  EXPECT_EQ(plan.device_memory,
            std::uint64_t{20} * 11008 * 11008 + (32U << 16U) + 600'000'000 + 64'000'000)
      << "factor of the inputs of down, 2^16 patterns, libraries, handles of one Linear";
  EXPECT_THAT(describe_plan(plan), ::testing::HasSubstr("3.090 GB of device memory per rank"));
  EXPECT_THAT(plan_json(plan), ::testing::HasSubstr("\"device_memory_per_rank\": 3089"));
}

TEST(Plan, LinearsThatAreQuantizedAtOnceNeedTheirMemoryTogether) {
  PipelineConfig config = paper_config();
  config.compute.backend = BackendKind::kCuda;
  config.compute.threads_per_rank = 2;
  const ModelConfig model = parse_model_config(kLlama7b, "test");
  const std::size_t panel = 128;
  EXPECT_EQ(make_plan(config, model, 8).device_memory,
            device_memory_of_linear(4096, 11008, panel) +
                device_memory_of_linear(11008, 4096, panel) + (32U << 16U) + 600'000'000 +
                2 * 64'000'000)
      << "down, and gate or up";
  config.compute.threads_per_rank = 64;
  EXPECT_EQ(make_plan(config, model, 8).device_memory,
            device_memory_of_linear(4096, 11008, panel) +
                2 * device_memory_of_linear(11008, 4096, panel) +
                4 * device_memory_of_linear(4096, 4096, panel) + (32U << 16U) + 600'000'000 +
                7 * 64'000'000);
}

TEST(DeviceMemoryOfLinear, IsThatOfMeasuringOrOfAPanel) {
  EXPECT_EQ(device_memory_of_linear(28672, 8192, 128), std::uint64_t{4} * (28672 + 8192) * 8192 +
                                                           std::uint64_t{8} * 8192 * 8192 +
                                                           std::uint64_t{12} * (1U << 25U))
      << "weights, factor twice, a slice of errors";
  EXPECT_EQ(device_memory_of_linear(1000, 8, 128),
            4U * (1000 + 8) * 8 + 64U * 1000 * 8 + 8U * 1000 * 8)
      << "a panel is no wider than the Linear";
}

TEST(Plan, TheLinearCodeStoresNoCodebook) {
  PipelineConfig config = row_config();
  config.codebook = CodebookParams{};
  config.codebook->codec = Codec::kLinear2016;
  config.codebook->vector_length = 20;
  const Plan plan = make_plan(config, parse_model_config(kLlama7b, "test"), 8);
  EXPECT_EQ(plan.bits.nominal, 0.8);
  EXPECT_NEAR(plan.bits.sign, 0.8, 0.002) << "20 does not divide 4096 and 11008";
  EXPECT_TRUE(std::ranges::none_of(
      plan.ledger, [](const LedgerLine& line) { return line.category == "codebook"; }));
  EXPECT_EQ(plan.stages[3].units, 0U);
}

TEST(Plan, CodebooksOfPanelsAreCharged) {
  PipelineConfig config = paper_config();
  config.codebook->scope = CodebookScope::kBlockGroup;
  const Plan plan = make_plan(config, parse_model_config(kLlama7b, "test"), 8);
  const auto codebook = std::ranges::find_if(
      plan.ledger, [](const LedgerLine& line) { return line.category == "codebook"; });
  ASSERT_NE(codebook, plan.ledger.end());
  constexpr std::uint64_t kPanels = 4 * 32 + 2 * 32 + 86;  // of a block
  EXPECT_EQ(codebook->bytes, 32 * kPanels * (7131 * 2 + 8));
  EXPECT_EQ(plan.stages[3].units, 32U);
}

TEST(Plan, TransformIsChargedExactly) {
  PipelineConfig config = row_config();
  const ModelConfig model = parse_model_config(kLlama7b, "test");
  const Plan without = make_plan(config, model, 8);
  config.transform.kind = TransformKind::kRandom;
  const Plan plan = make_plan(config, model, 8);
  const auto line = std::find_if(plan.ledger.begin(), plan.ledger.end(),
                                 [](const auto& entry) { return entry.category == "transform"; });
  ASSERT_NE(line, plan.ledger.end());
  EXPECT_EQ(line->bytes, 2'636'032U) << "fp16 (64, 64), (32, -), (64, 64), (86, 128) in 32 blocks";
  EXPECT_GT(plan.bits.stored, without.bits.stored);
  ASSERT_EQ(plan.stages.size(), without.stages.size() + 1);
  EXPECT_EQ(plan.stages[2].name, "learn");
  EXPECT_TRUE(packed_format(config).transform);
}

TEST(PackedFormatOf, FollowsTheSettings) {
  EXPECT_EQ(packed_format(paper_config().binarize, paper_config().codebook).panel, 128U);
  const PackedFormat row = packed_format(row_config().binarize, row_config().codebook);
  EXPECT_EQ(row.panel, 0U);
  EXPECT_TRUE(row.column_scale);
  EXPECT_FALSE(row.mean);
  EXPECT_EQ(row.index_coding, IndexCoding::kRadix);
  EXPECT_EQ(packed_format(row_config().binarize, std::nullopt).vector_length, 0);
  BinarizeParams row_column;
  row_column.method = FitRule::kArbRc;
  EXPECT_TRUE(packed_format(row_column, std::nullopt).group_column_scale);
  EXPECT_FALSE(packed_format(row_column, std::nullopt).mean);
  row_column.uniform = UniformRule::kRtn;
  row_column.split_points = 0;
  row_column.salient = SalientRule::kNone;
  EXPECT_FALSE(packed_format(row_column, std::nullopt).column_scale) << "levels have none";
}

}  // namespace
}  // namespace btc
