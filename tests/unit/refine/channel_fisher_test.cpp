#include "refine/channel_fisher.hpp"

#include <gmock/gmock.h>

#include <cmath>
#include <limits>
#include <memory>
#include <vector>

#include "refine_fixture.hpp"

namespace btc {
namespace {

using test::RefineFixture;

/// Two sequences of six ids through a golden model, block by block.
class ChannelFisher : public ::testing::TestWithParam<const char*> {
 protected:
  ChannelFisher() {
    Rng rng(11);
    for (std::int32_t& id : ids_.values()) {
      id = static_cast<std::int32_t>(rng.below(50));
    }
    for (int b = 0; b < config_.blocks; ++b) {
      blocks_.push_back(std::make_unique<BlockForward>(config_, fixture_.model->load_block(b)));
    }
  }

  /// Input of block b; for the number of blocks, the output of the last.
  [[nodiscard]] Matrix<float> input(int b, std::size_t sequence) const {
    Matrix<float> hidden = fixture_.model->embed(ids_.row(sequence));
    return through(0, b, std::move(hidden));
  }
  [[nodiscard]] Matrix<float> through(int first, int last, Matrix<float> hidden) const {
    for (int b = first; b < last; ++b) {
      hidden = blocks_.at(static_cast<std::size_t>(b))->run(hidden.view());
    }
    return hidden;
  }
  /// Negative log-likelihood of a sequence whose hidden states behind block b are these.
  [[nodiscard]] double loss(int b, const Matrix<float>& hidden, std::size_t sequence) const {
    const Matrix<float> output = through(b + 1, config_.blocks, hidden);
    const auto next = std::as_const(ids_).row(sequence).subspan(1);
    double sum = 0;
    for (const double nll : head_.nll(output.view().sub(0, next.size(), 0, output.cols()), next)) {
      sum += nll;
    }
    return sum;
  }
  /// Mean squares of central differences, divided by their mean.
  [[nodiscard]] std::vector<double> by_differences(int b) const {
    constexpr double kStep = 2e-3;
    std::vector<double> sums(config_.hidden);
    double total = 0;
    for (std::size_t s = 0; s < ids_.rows(); ++s) {
      const Matrix<float> hidden = input(b + 1, s);
      for (std::size_t e = 0; e < hidden.size(); ++e) {
        Matrix<float> moved = hidden;
        moved.values()[e] += static_cast<float>(kStep);
        const double plus = loss(b, moved, s);
        moved.values()[e] -= static_cast<float>(2 * kStep);
        const double slope = (plus - loss(b, moved, s)) / (2 * kStep);
        sums[e % hidden.cols()] += slope * slope;
        total += slope * slope;
      }
    }
    for (double& sum : sums) {
      sum *= static_cast<double>(sums.size()) / total;
    }
    return sums;
  }
  [[nodiscard]] Matrix<float> fisher(const Matrix<std::int32_t>& ids) const {
    return channel_fisher(*fixture_.model, ids, [this](int b) -> SequenceStream {
      return [this, b, next = std::size_t{0}]() mutable { return input(b, next++); };
    });
  }

  const RefineFixture fixture_{GetParam()};
  const ModelConfig config_ = fixture_.model->config();
  const HeadForward head_{*fixture_.model};
  std::vector<std::unique_ptr<BlockForward>> blocks_;
  Matrix<std::int32_t> ids_{2, 6};
};

TEST_P(ChannelFisher, AgreesWithFiniteDifferencesForEveryBlock) {
  const Matrix<float> found = fisher(ids_);
  ASSERT_EQ(found.rows(), static_cast<std::size_t>(config_.blocks));
  ASSERT_EQ(found.cols(), config_.hidden);
  for (int b = 0; b < config_.blocks; ++b) {
    const auto row = found.row(static_cast<std::size_t>(b));
    const std::vector<double> expected = by_differences(b);
    double mean = 0;
    for (std::size_t c = 0; c < row.size(); ++c) {
      EXPECT_NEAR(static_cast<double>(row[c]), expected[c], 0.03 * expected[c] + 0.01)
          << "block " << b << ", channel " << c;
      mean += static_cast<double>(row[c]) / static_cast<double>(row.size());
    }
    EXPECT_NEAR(mean, 1, 1e-6);
  }
  EXPECT_THAT(found.row(0), ::testing::Contains(::testing::Gt(1.2F))) << "not flat";
}

TEST_P(ChannelFisher, OfSingleTokensWhichPredictNothingIsAllOnes) {
  const Matrix<float> found =
      channel_fisher(*fixture_.model, Matrix<std::int32_t>(2, 1),
                     [this](int b) -> SequenceStream { return [this, b] { return input(b, 0); }; });
  EXPECT_THAT(found.values(), ::testing::Each(1.0F));
}

TEST_P(ChannelFisher, NamesTheBlockWhereGradientsAreNotFinite) {
  const auto open = [this](int b) -> SequenceStream {
    return [this, b] {
      Matrix<float> hidden = input(b, 0);
      if (b == 1) {
        hidden(2, 3) = std::numeric_limits<float>::infinity();
      }
      return hidden;
    };
  };
  try {
    (void)channel_fisher(*fixture_.model, ids_, open);
    FAIL() << "expected a NumericError";
  } catch (const NumericError& error) {
    EXPECT_THAT(error.what(), ::testing::HasSubstr("block 1"));
  }
}

INSTANTIATE_TEST_SUITE_P(Families, ChannelFisher,
                         ::testing::Values("qwen3", "qwen2_tied", "llama_gqa_llama3"));

}  // namespace
}  // namespace btc
