#include "eval/perplexity.hpp"

#include <gmock/gmock.h>

#include <cmath>

#include "common/error.hpp"
#include "model/block_forward.hpp"
#include "model/checkpoint.hpp"
#include "table_model.hpp"

namespace btc {
namespace {

using test::TableModel;

Matrix<std::int32_t> windows_of(std::size_t count, std::size_t length, std::size_t vocab) {
  Matrix<std::int32_t> windows(count, length);
  for (std::size_t i = 0; i < windows.size(); ++i) {
    windows.values()[i] = static_cast<std::int32_t>((i * i + 3 * i) % vocab);
  }
  return windows;
}

class Perplexity : public ::testing::Test {
 protected:
  void SetUp() override { configure_torch(1); }
};

TEST_F(Perplexity, AveragesTheLossOfEachNextId) {
  const TableModel model(9);
  const Matrix<std::int32_t> windows = windows_of(3, 5, 9);
  const std::vector<double> losses = window_nll(model, windows.view(), 2);
  ASSERT_EQ(losses.size(), 3U);
  double total = 0;
  for (std::size_t w = 0; w < 3; ++w) {
    double expected = 0;
    for (std::size_t t = 0; t < 4; ++t) {
      expected += model.loss(windows(w, t), windows(w, t + 1)) / 4;
    }
    EXPECT_NEAR(losses[w], expected, 1e-5);
    total += expected;
  }
  EXPECT_NEAR(perplexity(losses), std::exp(total / 3), 1e-4);
}

TEST_F(Perplexity, LoadsEachBlockOncePerGroupOfWindows) {
  const TableModel model(9);
  const Matrix<std::int32_t> windows = windows_of(5, 4, 9);
  (void)window_nll(model, windows.view(), 2);
  EXPECT_EQ(model.loads, 3 * 2);
}

TEST_F(Perplexity, AWindowGivesTheSameBitsWhateverStandsBesideIt) {
  const auto model = Checkpoint::open(BTC_SOURCE_DIR "/tests/golden/models/qwen3");
  const Matrix<std::int32_t> windows = windows_of(5, 30, 71);
  const std::vector<double> together = window_nll(*model, windows.view(), 5);
  EXPECT_EQ(window_nll(*model, windows.view(), 1), together);
  const std::vector<double> alone =
      window_nll(*model, windows.view().sub(3, 4, 0, windows.cols()), 7);
  ASSERT_EQ(alone.size(), 1U);
  EXPECT_EQ(alone[0], together[3]);
}

TEST_F(Perplexity, AWindowIsComputedByOneThreadAlsoWhenItIsAlone) {
  const auto model = Checkpoint::open(BTC_SOURCE_DIR "/examples/wiki-llama-7m");
  const Matrix<std::int32_t> windows = windows_of(4, 200, 4096);
  ASSERT_LE(block_entries(model->config(), windows.cols()), kSmallTensor);
  ASSERT_LE(head_entries(model->config(), windows.cols()), kSmallTensor);
  const std::vector<double> by_one = window_nll(*model, windows.view(), 4);
  configure_torch(3);
  EXPECT_EQ(window_nll(*model, windows.view(), 4), by_one);
  EXPECT_EQ(window_nll(*model, windows.view(), 1), by_one);
}

TEST_F(Perplexity, ALargeVocabularyMakesLargeLogits) {
  ModelConfig config;
  config.intermediate = 8192;
  config.vocab_size = 128256;
  EXPECT_LE(block_entries(config, 512), kSmallTensor);
  EXPECT_GT(head_entries(config, 512), kSmallTensor);
  EXPECT_EQ(head_entries(config, 512), head_entries(config, 2048)) << "as many rows at once";
}

TEST_F(Perplexity, HandsOnTheErrorOfAThread) {
  const TableModel model(9);
  Matrix<std::int32_t> windows = windows_of(4, 5, 9);
  windows(2, 3) = 9;
  configure_torch(2);
  EXPECT_THROW((void)window_nll(model, windows.view(), 4), InputError);
}

TEST_F(Perplexity, RefusesWindowsWithNothingToPredict) {
  const TableModel model(9);
  const Matrix<std::int32_t> windows = windows_of(2, 1, 9);
  EXPECT_THROW((void)window_nll(model, windows.view(), 1), InputError);
  EXPECT_TRUE(window_nll(model, {}, 1).empty());
}

}  // namespace
}  // namespace btc
