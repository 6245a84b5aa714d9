// A real trained model in another project's file format, against values from an independent fp64
// implementation.

#include <gmock/gmock.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <random>
#include <sstream>

#include "common/error.hpp"
#include "eval/score_requests.hpp"
#include "io/atomic_file.hpp"
#include "model/block_forward.hpp"
#include "support/made_requests.hpp"

namespace btc {
namespace {

std::filesystem::path data_folder() { return BTC_SOURCE_DIR "/../shared/data"; }

/// The legacy llama2.c file: 7 int32 of sizes, then fp32 tensors, per kind all blocks together.
class StoriesModel final : public ModelSource {
 public:
  explicit StoriesModel(const std::filesystem::path& path) : bytes_(read_text_file(path)) {
    std::array<std::int32_t, 7> sizes{};
    std::memcpy(sizes.data(), bytes_.data(), sizeof sizes);
    config_.family = "llama";
    config_.hidden = static_cast<std::size_t>(sizes[0]);
    config_.intermediate = static_cast<std::size_t>(sizes[1]);
    config_.blocks = sizes[2];
    config_.heads = static_cast<std::size_t>(sizes[3]);
    config_.kv_heads = static_cast<std::size_t>(sizes[4]);
    config_.vocab_size = static_cast<std::size_t>(sizes[5]);
    config_.head_dim = config_.hidden / config_.heads;
    config_.norm_eps = 1e-5;
    config_.tied_head = true;
    std::size_t at = sizeof sizes;
    const auto take = [&](std::size_t count) {
      std::vector<float> values(count);
      std::memcpy(values.data(), bytes_.data() + at, count * sizeof(float));
      at += count * sizeof(float);
      return values;
    };
    const auto blocks = static_cast<std::size_t>(config_.blocks);
    const auto take_linear = [&](LinearKind kind) {
      const auto [n, m] = linear_shape(config_, kind);
      linears_.at(index_of(kind)) = take(blocks * n * m);
    };
    embedding_ = take(config_.vocab_size * config_.hidden);
    input_norms_ = take(blocks * config_.hidden);
    for (const LinearKind kind : {LinearKind::kQ, LinearKind::kK, LinearKind::kV, LinearKind::kO}) {
      take_linear(kind);
    }
    post_attention_norms_ = take(blocks * config_.hidden);
    for (const LinearKind kind : {LinearKind::kGate, LinearKind::kDown, LinearKind::kUp}) {
      take_linear(kind);
    }
    final_norm_ = take(config_.hidden);
  }

  [[nodiscard]] const ModelConfig& config() const override { return config_; }
  [[nodiscard]] BlockWeights load_block(int block) const override {
    BlockWeights weights;
    const auto b = static_cast<std::size_t>(block);
    for (const LinearKind kind : kLinearKinds) {
      const auto [n, m] = linear_shape(config_, kind);
      Matrix<float>& linear = weights.linear.at(index_of(kind));
      linear = Matrix<float>(n, m);
      const bool rotated = kind == LinearKind::kQ || kind == LinearKind::kK;
      for (std::size_t row = 0; row < n; ++row) {
        const std::size_t from = b * n + (rotated ? interleaved_row(row) : row);
        std::copy_n(linears_.at(index_of(kind)).begin() + static_cast<std::ptrdiff_t>(from * m), m,
                    linear.row(row).begin());
      }
    }
    weights.input_norm = slice(input_norms_, b);
    weights.post_attention_norm = slice(post_attention_norms_, b);
    return weights;
  }
  [[nodiscard]] Matrix<float> embed(std::span<const std::int32_t> ids) const override {
    Matrix<float> rows(ids.size(), config_.hidden);
    for (std::size_t t = 0; t < ids.size(); ++t) {
      const auto row = slice(embedding_, static_cast<std::size_t>(ids[t]));
      std::copy(row.begin(), row.end(), rows.row(t).begin());
    }
    return rows;
  }
  [[nodiscard]] std::vector<float> final_norm() const override { return final_norm_; }
  [[nodiscard]] Matrix<float> head() const override {
    Matrix<float> head(config_.vocab_size, config_.hidden);
    head.values() = embedding_;
    return head;
  }

 private:
  /// The file rotates neighbours 2i and 2i + 1; we rotate i and i + half.
  [[nodiscard]] std::size_t interleaved_row(std::size_t row) const {
    const std::size_t half = config_.head_dim / 2;
    const std::size_t head = row / config_.head_dim;
    const std::size_t inside = row % config_.head_dim;
    return head * config_.head_dim + 2 * (inside % half) + inside / half;
  }
  [[nodiscard]] std::vector<float> slice(const std::vector<float>& values, std::size_t i) const {
    const auto begin = values.begin() + static_cast<std::ptrdiff_t>(i * config_.hidden);
    return {begin, begin + static_cast<std::ptrdiff_t>(config_.hidden)};
  }

  std::string bytes_;
  ModelConfig config_;
  std::vector<float> embedding_, input_norms_, post_attention_norms_, final_norm_;
  std::array<std::vector<float>, kLinearKinds.size()> linears_;
};

/// MT19937 in the state that Python's `random.seed(seed)` gives it, for a seed of one word.
std::mt19937 python_random(std::uint32_t seed) {
  constexpr std::size_t kWords = 624;
  std::vector<std::uint32_t> state(kWords);
  state[0] = 19650218U;
  for (std::uint32_t i = 1; i < kWords; ++i) {
    state[i] = 1812433253U * (state[i - 1] ^ (state[i - 1] >> 30U)) + i;
  }
  std::uint32_t i = 1;
  const auto advance = [&] {
    if (++i == kWords) {
      state[0] = state[kWords - 1];
      i = 1;
    }
  };
  for (std::size_t k = 0; k < kWords; ++k) {
    state[i] = (state[i] ^ ((state[i - 1] ^ (state[i - 1] >> 30U)) * 1664525U)) + seed;
    advance();
  }
  for (std::size_t k = 0; k + 1 < kWords; ++k) {
    state[i] = (state[i] ^ ((state[i - 1] ^ (state[i - 1] >> 30U)) * 1566083941U)) - i;
    advance();
  }
  state[0] = 0x80000000U;
  std::stringstream text;
  for (const std::uint32_t word : state) {
    text << word << ' ';
  }
  text << kWords;
  std::mt19937 engine;
  text >> engine;
  return engine;
}

/// [1] + (count - 1) times random.randint(3, 511) after random.seed(42).
std::vector<std::int32_t> random_ids(std::size_t count) {
  std::mt19937 engine = python_random(42);
  std::vector<std::int32_t> ids = {1};
  while (ids.size() < count) {
    const auto draw = static_cast<std::int32_t>(engine() >> 23U);
    if (draw < 509) {
      ids.push_back(3 + draw);
    }
  }
  return ids;
}

class Stories : public ::testing::Test {
 protected:
  void SetUp() override {
    if (!std::filesystem::exists(data_folder() / "stories260k/checkpoint_legacy.bin")) {
      GTEST_SKIP() << "no folder " << data_folder() / "stories260k";
    }
    configure_torch(1);
    model_ = std::make_unique<StoriesModel>(data_folder() / "stories260k/checkpoint_legacy.bin");
    golden_ =
        nlohmann::json::parse(read_text_file(data_folder() / "eval-golden.json"))["stories260k"];
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

  std::unique_ptr<StoriesModel> model_;
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
