#include "pipeline/fingerprints.hpp"

#include <gmock/gmock.h>

namespace btc {
namespace {

PipelineConfig base_config() {
  PipelineConfig config;
  config.run.dir = "run";
  config.model_path = "model";
  config.codebook = CodebookParams{};
  config.codebook->target_bits = 0.8;
  return config;
}

PlannedUnits units_of(const PipelineConfig& config,
                      std::vector<std::string> blocks = {"w0", "w1", "w2"},
                      const TorchPlace& place = {}) {
  const SourceIdentity identity = {std::move(blocks), "outer", "config"};
  return plan_units(config, {config.run.dir}, identity, {}, place);
}

/// Which units of a stage changed, as a string of `.` and `x`.
std::string changed(const std::vector<Unit>& before, const std::vector<Unit>& after) {
  std::string marks;
  for (std::size_t i = 0; i < before.size(); ++i) {
    marks += before[i].fingerprint == after.at(i).fingerprint ? '.' : 'x';
  }
  return marks;
}

/// One mark string per stage, from capture on.
std::vector<std::string> changes(const PlannedUnits& before, const PlannedUnits& after) {
  return {changed({before.sequences}, {after.sequences}), changed(before.capture, after.capture),
          changed(before.binarize, after.binarize),       changed(before.codebook, after.codebook),
          changed(before.encode, after.encode),           changed(before.shards, after.shards),
          changed({before.model}, {after.model})};
}

using ::testing::ElementsAre;

TEST(Fingerprints, TargetBitsRedoesFromTheCodebookOn) {
  PipelineConfig other = base_config();
  other.codebook->target_bits = 0.7;
  EXPECT_THAT(changes(units_of(base_config()), units_of(other)),
              ElementsAre(".", "...", "...", "x", "xxx", "xxxx", "x"));
}

TEST(Fingerprints, AssignmentRedoesFromEncodeOn) {
  PipelineConfig other = base_config();
  other.codebook->assignment = Assignment::kHamming;
  EXPECT_THAT(changes(units_of(base_config()), units_of(other)),
              ElementsAre(".", "...", "...", ".", "xxx", "xxx.", "x"));
}

TEST(Fingerprints, ASweepLeavesThoseBeforeItAsTheyAre) {
  PipelineConfig config = base_config();
  config.transform.kind = TransformKind::kRandom;
  const PlannedUnits once = units_of(config);
  config.calibration.sweeps = 3;
  const PlannedUnits units = units_of(config);
  ASSERT_EQ(units.earlier.size(), 2U);
  EXPECT_EQ(changed(once.encode, units.first_sweep().encode), "...");
  EXPECT_EQ(changed(once.learn, units.learn), "...");
  EXPECT_EQ(units.first_sweep().encode[0].file, once.encode[0].file);
  EXPECT_EQ(changed(units.earlier[0].capture, units.earlier[1].capture), ".xx")
      << "embeddings are not quantized";
  EXPECT_EQ(changed(units.earlier[1].encode, units.encode), "xxx") << "one codebook for the model";
  for (const Unit& unit : units.encode) {
    EXPECT_NE(unit.records, units.earlier[1].encode[0].records);
  }
}

TEST(Fingerprints, TransformRedoesFromBinarizeOn) {
  PipelineConfig other = base_config();
  EXPECT_TRUE(units_of(other).learn.empty());
  other.transform.kind = TransformKind::kRandom;
  const PlannedUnits units = units_of(other);
  EXPECT_EQ(units.learn.size(), 3U);
  EXPECT_NE(units.learn[0].fingerprint, units.learn[1].fingerprint);
  EXPECT_THAT(changes(units_of(base_config()), units),
              ElementsAre(".", "...", "xxx", "x", "xxx", "xxxx", "x"));
  other.run.seed = 7;
  EXPECT_EQ(changed(units.learn, units_of(other).learn), "xxx");
}

TEST(Fingerprints, RefinementFollowsTheEncoding) {
  PipelineConfig config = base_config();
  EXPECT_TRUE(units_of(config).refine.empty());
  PipelineConfig refined = config;
  refined.refine.block_epochs = 2;
  EXPECT_THAT(changes(units_of(config), units_of(refined)),
              ElementsAre(".", "...", "...", ".", "...", "xxx.", "x"));
  PipelineConfig faster = refined;
  faster.refine.block_learning_rate *= 2;
  EXPECT_EQ(changed(units_of(refined).refine, units_of(faster).refine), "xxx");
  PipelineConfig other_blocks = refined;
  other_blocks.calibration.source = TokenSource::kText;  // `self` would change with any weight
  EXPECT_EQ(
      changed(units_of(other_blocks).refine, units_of(other_blocks, {"w0", "w1", "W2"}).refine),
      "xxx");  // scope model: every block's codewords may change
}

TEST(Fingerprints, DistillationFollowsTheRefinement) {
  PipelineConfig refined = base_config();
  refined.refine.block_epochs = 2;
  EXPECT_TRUE(units_of(refined).distill.empty());
  PipelineConfig config = refined;
  config.refine.kd_epochs = 3;
  const PlannedUnits units = units_of(config);
  EXPECT_EQ(units.distill_epochs.size(), 3U);
  EXPECT_EQ(units.distill.size(), 3U);
  EXPECT_EQ(changed(units_of(refined).refine, units.refine), "...");
  EXPECT_EQ(changed(units_of(refined).shards, units.shards), "xxx.");
  EXPECT_EQ(&units.final_blocks(), &units.distill);
  PipelineConfig faster = config;
  faster.refine.kd_learning_rate *= 2;
  EXPECT_EQ(changed(units.distill_epochs, units_of(faster).distill_epochs), "xxx");
  EXPECT_EQ(changed(units.distill, units_of(faster).distill), "xxx");
  EXPECT_EQ(changed(units.refine, units_of(faster).refine), "...");
  faster.refine.block_epochs = 0;  // then it starts from the encoded blocks
  const PlannedUnits direct = units_of(faster);
  EXPECT_EQ(&direct.trained_from(), &direct.encode);
}

TEST(Fingerprints, AbsorbingErrorsRedoesTheEncoding) {
  PipelineConfig config = base_config();
  config.refine.dense_epochs = 1;
  EXPECT_THAT(changes(units_of(base_config()), units_of(config)),
              ElementsAre(".", "...", "...", ".", "xxx", "xxx.", "x"));
  PipelineConfig faster = config;
  faster.refine.dense_learning_rate *= 2;
  EXPECT_EQ(changed(units_of(config).encode, units_of(faster).encode), "xxx");
  faster.refine.dense_epochs = 0;  // then the rate is not looked at
  EXPECT_EQ(changed(units_of(base_config()).encode, units_of(faster).encode), "...");
}

TEST(Fingerprints, TheFisherInformationIsThatOfTheOriginalModel) {
  PipelineConfig config = base_config();
  config.calibration.source = TokenSource::kText;  // `self` would change with any weight
  EXPECT_TRUE(units_of(config).fisher.empty());
  config.refine.dense_epochs = 1;
  const PlannedUnits units = units_of(config);
  ASSERT_EQ(units.fisher.size(), 1U);
  EXPECT_EQ(changed(units.fisher, units_of(config, {"W0", "w1", "w2"}).fisher), "x");
  const PlannedUnits last = units_of(config, {"w0", "w1", "W2"});
  EXPECT_EQ(changed(units.fisher, last.fisher), "x");
  EXPECT_EQ(changed(units.capture, last.capture), "...");
  EXPECT_EQ(changed(units.fisher, units_of(config, {"w0", "w1", "w2"}, {0}).fisher), "x");
  PipelineConfig other = config;
  other.calibration.samples += 1;
  EXPECT_EQ(changed(units.fisher, units_of(other).fisher), "x");
  other = config;
  other.binarize.split_points = 1;
  other.refine.dense_epochs = 7;
  other.refine.batch = 2;
  EXPECT_EQ(changed(units.fisher, units_of(other).fisher), ".");
}

TEST(Fingerprints, TheFisherInformationServesAllSweepsAndOtherRuns) {
  PipelineConfig config = base_config();
  config.refine.dense_epochs = 1;
  config.calibration.sweeps = 2;
  const PlannedUnits own = units_of(config);
  ASSERT_EQ(own.fisher.size(), 1U);
  EXPECT_EQ(own.fisher[0].file, std::filesystem::path("run/fisher.h5"));
  EXPECT_EQ(changed(own.fisher, own.first_sweep().fisher), ".");
  EXPECT_EQ(own.fisher[0].file, own.first_sweep().fisher.at(0).file);
  EXPECT_EQ(own.fisher[0].records, own.first_sweep().fisher[0].records);
  config.run.shared = "shared";
  const PlannedUnits units = units_of(config);
  EXPECT_EQ(units.fisher[0].file, units.shared / "fisher.h5");
  EXPECT_EQ(units.fisher[0].records, units.sequences.records);
  EXPECT_EQ(changed(own.fisher, units.fisher), ".");
}

TEST(Fingerprints, SplitPointsRedoFromBinarizeOn) {
  PipelineConfig other = base_config();
  other.binarize.split_points = 1;
  EXPECT_THAT(changes(units_of(base_config()), units_of(other)),
              ElementsAre(".", "...", "xxx", "x", "xxx", "xxxx", "x"));
}

TEST(Fingerprints, SamplesRedoEverything) {
  PipelineConfig other = base_config();
  other.calibration.samples += 1;
  EXPECT_THAT(changes(units_of(base_config()), units_of(other)),
              ElementsAre("x", "xxx", "xxx", "x", "xxx", "xxxx", "x"));
}

TEST(Fingerprints, ThreadsRedoWhatTheModelComputes) {
  PipelineConfig config = base_config();
  PipelineConfig other = config;
  other.compute.threads_per_rank = 2;
  EXPECT_THAT(changes(units_of(config), units_of(other)),
              ElementsAre("x", "xxx", "xxx", "x", "xxx", "xxxx", "x"));
  const SourceIdentity identity = {{"w0"}, "outer", "config"};
  EXPECT_NE(original_fingerprint(config, identity), original_fingerprint(other, identity));
  config.calibration.source = TokenSource::kIds;  // nothing is sampled
  other.calibration.source = TokenSource::kIds;
  EXPECT_THAT(changes(units_of(config), units_of(other)),
              ElementsAre(".", "xxx", "xxx", "x", "xxx", "xxxx", "x"));
}

TEST(Fingerprints, BlocksOnADeviceRedoWhatTheyCompute) {
  PipelineConfig config = base_config();
  config.transform.kind = TransformKind::kFlatQuant;
  config.refine.block_epochs = 1;
  config.refine.kd_epochs = 1;
  const std::vector<std::string> blocks = {"w0", "w1", "w2"};
  const PlannedUnits host = units_of(config);
  const PlannedUnits device = units_of(config, blocks, {0});
  EXPECT_THAT(changes(host, device), ElementsAre(".", "xxx", "xxx", "x", "xxx", "xxxx", "x"))
      << "sequences are sampled on the CPU";
  EXPECT_EQ(changed(host.learn, device.learn), "xxx");
  EXPECT_EQ(changed(host.refine, device.refine), "xxx");
  EXPECT_EQ(changed(host.distill_epochs, device.distill_epochs), "x");
  EXPECT_EQ(changed(device.capture, units_of(config, blocks, {5}).capture), "...")
      << "which device it is changes nothing";
  const SourceIdentity identity = {{"w0"}, "outer", "config"};
  EXPECT_NE(original_fingerprint(config, identity), original_fingerprint(config, identity, {0}));
}

TEST(Fingerprints, PathsAndEvaluationChangeNothing) {
  PipelineConfig other = base_config();
  other.run.dir = "elsewhere";
  other.model_path = "the/same/model";
  other.evaluate.perplexity.push_back({});
  EXPECT_THAT(changes(units_of(base_config()), units_of(other)),
              ElementsAre(".", "...", "...", ".", "...", "....", "."));
}

TEST(Fingerprints, OtherWeightsOfABlockChangeItAndWhatFollows) {
  const PipelineConfig config = base_config();
  PipelineConfig ids = config;
  ids.calibration.source = TokenSource::kText;  // `self` would change with any weight
  EXPECT_THAT(changes(units_of(ids), units_of(ids, {"w0", "W1", "w2"})),
              ElementsAre(".", "..x", ".xx", "x", "xxx", "xxxx", "x"));
  EXPECT_THAT(changes(units_of(config), units_of(config, {"w0", "W1", "w2"})),
              ElementsAre("x", "xxx", "xxx", "x", "xxx", "xxxx", "x"));
}

TEST(Fingerprints, TheLinearCodeHasNoCodebookAndItsOwnBytes) {
  PipelineConfig config = base_config();
  config.codebook->codec = Codec::kLinear2016;
  config.codebook->vector_length = 20;
  const PlannedUnits units = units_of(config);
  EXPECT_TRUE(units.codebook.empty());
  PipelineConfig none = config;
  none.codebook.reset();
  EXPECT_NE(units.encode[0].fingerprint, units_of(none).encode[0].fingerprint);
}

TEST(Fingerprints, ScopeLinearHasACodebookUnitPerBlock) {
  PipelineConfig config = base_config();
  config.codebook->scope = CodebookScope::kLinear;
  EXPECT_EQ(units_of(config).codebook.size(), 3U);
  const std::string binarized = units_of(config).binarize[0].fingerprint;
  config.codebook->scope = CodebookScope::kBlock;
  EXPECT_EQ(units_of(config).binarize[0].fingerprint, binarized);
  config.codebook->scope = CodebookScope::kBlockGroup;
  EXPECT_EQ(units_of(config).codebook.size(), 3U);
  EXPECT_NE(units_of(config).binarize[0].fingerprint, binarized) << "a histogram for each panel";
  config.codebook->scope = CodebookScope::kBlock;
  config.codebook->layout = CodebookLayout::kMasked;
  EXPECT_NE(units_of(config).binarize[0].fingerprint, binarized) << "other sub-vectors";
  config.codebook.reset();
  const PlannedUnits units = units_of(config);
  EXPECT_TRUE(units.codebook.empty());
  EXPECT_EQ(codebook_unit(config, units, 1), nullptr);
}

}  // namespace
}  // namespace btc
