#include "inspect/activation_statistics.hpp"

#include <gmock/gmock.h>

#include "common/rng.hpp"
#include "support/scratch.hpp"
#include "unit/pack/packed_cases.hpp"
#include "unit/pack/packed_fixture.hpp"

namespace btc {
namespace {

TEST(InputDistribution, CountsSizesInUnitsOfTheRootMeanSquare) {
  // rms 2: sizes 0.5, 0.5, 0.5, 2.43.. ; a token of zeros is left out.
  Matrix<float> inputs(2, 4);
  const std::vector<float> row = {1, -1, 1, 3.6055513F};
  std::copy(row.begin(), row.end(), inputs.row(0).begin());
  InputDistribution distribution;
  distribution.add(inputs.view());
  EXPECT_EQ(distribution.count, 4U);
  EXPECT_EQ(distribution.bins[2], 3U);
  EXPECT_EQ(distribution.bins[7], 1U);
  EXPECT_NEAR(distribution.largest, 1.8027756, 1e-6);
  EXPECT_NEAR(distribution.kurtosis(), (3 * 0.0625 + 10.5625) / 4, 1e-5);
}

TEST(InputDistribution, HasTheKurtosisOfKnownDistributions) {
  Rng rng(4);
  Matrix<float> normal(100, 512);
  Matrix<float> spikes(1, 1024);
  for (float& value : normal.values()) {
    value = static_cast<float>(rng.normal());
  }
  spikes(0, 7) = 5;
  InputDistribution a;
  InputDistribution b;
  a.add(normal.view());
  b.add(spikes.view());
  EXPECT_NEAR(a.kurtosis(), 3, 0.1);
  EXPECT_NEAR(b.kurtosis(), 1024, 1e-6);
  EXPECT_NEAR(b.largest, 32, 1e-6);
  EXPECT_EQ(b.bins[InputDistribution::kBins - 1], 1U) << "the last bin is open";
  EXPECT_EQ(InputDistribution{}.kurtosis(), 0);
}

class ActivationStatistics : public ::testing::TestWithParam<bool> {};

TEST_P(ActivationStatistics, SeeEveryInputOfEveryToken) {
  PackedFormat format = test::model_scope_format();
  format.transform = GetParam();
  const test::Scratch scratch("activation-statistics");
  const test::PackedFixture fixture("qwen3", format, 3);
  const ResidentModel model = load_packed(PackedModel::open(fixture.assemble(scratch.path())));
  constexpr std::size_t kTokens = 9;
  const auto statistics = activation_statistics(model, Workers(1), kTokens, 5);
  ASSERT_EQ(statistics.size(), kSharedInputs.size() * model.blocks.size());
  for (std::size_t k = 0; k < statistics.size(); ++k) {
    const InputStatistics& own = statistics[k];
    EXPECT_EQ(own.block, static_cast<int>(k / kSharedInputs.size()));
    EXPECT_EQ(own.input, kSharedInputs.at(k % kSharedInputs.size()));
    EXPECT_EQ(own.before.count, kTokens * input_width(model.config(), own.input));
    EXPECT_EQ(own.after.count, own.before.count);
    EXPECT_EQ(own.after.bins == own.before.bins, !GetParam());
  }
}

INSTANTIATE_TEST_SUITE_P(Transform, ActivationStatistics, ::testing::Bool());

}  // namespace
}  // namespace btc
