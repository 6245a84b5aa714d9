// A real trained model in another project's file format, against values from an independent fp64
// implementation.

#include <gmock/gmock.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "common/error.hpp"
#include "eval/score_requests.hpp"
#include "io/atomic_file.hpp"
#include "model/block_forward.hpp"
#include "support/made_requests.hpp"
#include "support/python_random.hpp"
#include "support/stories_model.hpp"

namespace btc {
namespace {

/// [1] + (count - 1) times random.randint(3, 511) after random.seed(42).
std::vector<std::int32_t> random_ids(std::size_t count) {
  test::PythonRandom random(42);
  std::vector<std::int32_t> ids = {1};
  while (ids.size() < count) {
    ids.push_back(3 + static_cast<std::int32_t>(random.below(509)));
  }
  return ids;
}

class Stories : public ::testing::Test {
 protected:
  void SetUp() override {
    if (!std::filesystem::exists(test::data_folder() / "stories260k/checkpoint_legacy.bin")) {
      GTEST_SKIP() << "no folder " << test::data_folder() / "stories260k";
    }
    configure_torch(1);
    model_ = std::make_unique<test::StoriesModel>(test::data_folder() /
                                                  "stories260k/checkpoint_legacy.bin");
    golden_ = nlohmann::json::parse(
        read_text_file(test::data_folder() / "eval-golden.json"))["stories260k"];
  }
  [[nodiscard]] Matrix<float> hidden(const std::vector<std::int32_t>& ids) const {
    Matrix<float> states = model_->embed(ids);
    for (int b = 0; b < model_->config().blocks; ++b) {
      states = BlockForward(model_->config(), model_->load_block(b)).run(states.view());
    }
    return states;
  }
  [[nodiscard]] std::vector<double> losses(const std::vector<std::int32_t>& ids) const {
    const Matrix<float> states = hidden(ids);
    return HeadForward(*model_).nll(states.view().sub(0, ids.size() - 1, 0, states.cols()),
                                    std::span(ids).subspan(1));
  }
  static double sum(const std::vector<double>& values) {
    double total = 0;
    for (const double value : values) {
      total += value;
    }
    return total;
  }

  std::unique_ptr<test::StoriesModel> model_;
  nlohmann::json golden_;
};

TEST_F(Stories, TheMostLikelyIdIsTheOneThatWasWritten) {
  const auto ids = golden_["greedy_ids"].get<std::vector<std::int32_t>>();
  ASSERT_EQ(ids.size(), 129U);
  const Matrix<float> logits = HeadForward(*model_).logits(hidden(ids).view());
  for (std::size_t t = 0; t + 1 < ids.size(); ++t) {
    const auto row = logits.row(t);
    ASSERT_EQ(std::max_element(row.begin(), row.end()) - row.begin(), ids[t + 1]) << t;
  }
  const double expected = golden_["greedy_nll_sum"];
  EXPECT_NEAR(sum(losses(ids)), expected, 1e-5 * expected);
}

TEST_F(Stories, UnlikelyIdsHaveTheSameLossAsElsewhere) {
  const std::vector<std::int32_t> ids = random_ids(golden_["random_ids_n"]);
  const auto first = golden_["random_ids_first8"].get<std::vector<std::int32_t>>();
  ASSERT_TRUE(std::equal(first.begin(), first.end(), ids.begin()));
  const std::vector<double> values = losses(ids);
  const double expected = golden_["random_nll_sum"];
  EXPECT_NEAR(sum(values), expected, 1e-5 * expected);
  const auto begin = golden_["random_nll_first4"].get<std::vector<double>>();
  const auto end = golden_["random_nll_last4"].get<std::vector<double>>();
  for (std::size_t i = 0; i < 4; ++i) {
    EXPECT_NEAR(values[i], begin[i], 2e-4);
    EXPECT_NEAR(values[values.size() - 4 + i], end[i], 2e-4);
  }
}

TEST_F(Stories, TheScorerOfRequestsFindsTheSameLosses) {
  const auto likely = golden_["greedy_ids"].get<std::vector<std::int32_t>>();
  const std::vector<std::int32_t> unlikely = random_ids(golden_["random_ids_n"]);
  const auto request = [](const std::vector<std::int32_t>& ids) {
    return test::Choice{{ids.front()}, {ids.begin() + 1, ids.end()}};
  };
  const auto scores =
      score_requests(*model_, test::make_requests({{request(likely)}, {request(unlikely)}}), {});
  const double likely_sum = golden_["greedy_nll_sum"];
  const double unlikely_sum = golden_["random_nll_sum"];
  EXPECT_NEAR(-scores[0].log_likelihood, likely_sum, 1e-5 * likely_sum);
  EXPECT_TRUE(scores[0].greedy);
  EXPECT_NEAR(-scores[1].log_likelihood, unlikely_sum, 1e-5 * unlikely_sum);
  EXPECT_FALSE(scores[1].greedy);
}

}  // namespace
}  // namespace btc
