// Generation against the forward pass over whole sequences.

#include <gmock/gmock.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "common/error.hpp"
#include "common/half.hpp"
#include "generate/generate.hpp"
#include "io/atomic_file.hpp"
#include "model/block_forward.hpp"
#include "support/scratch.hpp"
#include "support/stories_model.hpp"
#include "unit/pack/packed_cases.hpp"
#include "unit/pack/packed_fixture.hpp"

namespace btc {
namespace {

std::vector<std::int32_t> some_ids(std::size_t vocab, std::size_t count) {
  Rng rng(3);
  std::vector<std::int32_t> ids(count);
  for (std::int32_t& id : ids) {
    id = static_cast<std::int32_t>(rng.below(vocab));
  }
  return ids;
}

Matrix<float> full_logits(const ModelSource& model, std::span<const std::int32_t> ids) {
  Matrix<float> hidden = model.embed(ids);
  for (int block = 0; block < model.config().blocks; ++block) {
    hidden = BlockForward(model.config(), model.load_block(block)).run(hidden.view());
  }
  return HeadForward(model).logits(hidden.view());
}

double largest(std::span<const float> values) {
  double most = 0;
  for (const float value : values) {
    most = std::max(most, std::abs(static_cast<double>(value)));
  }
  return most;
}

/// Logits are of size 1 to 10: differences are measured against the largest, at least 1.
void expect_close(std::span<const float> got, std::span<const float> expected,
                  const std::string& what) {
  ASSERT_EQ(got.size(), expected.size());
  const double scale = std::max(1.0, largest(expected));
  for (std::size_t i = 0; i < got.size(); ++i) {
    ASSERT_NEAR(got[i] / scale, expected[i] / scale, 1e-4) << what << ", id " << i;
  }
}

std::vector<std::int32_t> greedy(const ResidentModel& model, std::span<const std::int32_t> prompt,
                                 std::size_t count) {
  const Workers workers(2);
  IncrementalForward forward(model, workers, prompt.size() + count);
  GenerateParams params;
  params.max_tokens = count;
  params.sampling.temperature = 0;
  return generate(forward, prompt, params, {}).ids;
}

class CachedForward : public ::testing::TestWithParam<const char*> {
 protected:
  void SetUp() override { configure_torch(1); }
  Workers workers_{2};
};

TEST_P(CachedForward, HasTheLogitsOfTheWholeSequenceAtEveryPosition) {
  auto source = Checkpoint::open(test::golden_model(GetParam()));
  const std::vector<std::int32_t> ids = some_ids(source->config().vocab_size, 41);
  const Matrix<float> expected = full_logits(*source, ids);
  const ResidentModel model = load_dense(std::move(source));
  IncrementalForward one(model, workers_, ids.size());
  for (std::size_t t = 0; t < ids.size(); ++t) {
    expect_close(one.append({&ids[t], 1}), expected.row(t), concat("position ", t));
  }
}

TEST_P(CachedForward, TakesAPromptInPiecesOfAnyLength) {
  auto source = Checkpoint::open(test::golden_model(GetParam()));
  const std::vector<std::int32_t> ids = some_ids(source->config().vocab_size, 41);
  const Matrix<float> expected = full_logits(*source, ids);
  const ResidentModel model = load_dense(std::move(source));
  IncrementalForward all(model, workers_, ids.size());
  expect_close(all.append(ids), expected.row(40), "all at once");
  IncrementalForward parts(model, workers_, ids.size());
  expect_close(parts.append(std::span(ids).first(5)), expected.row(4), "five");
  expect_close(parts.append(std::span(ids).subspan(5, 35)), expected.row(39), "then 35");
  expect_close(parts.append(std::span(ids).last(1)), expected.row(40), "then one");
}

INSTANTIATE_TEST_SUITE_P(Families, CachedForward,
                         ::testing::Values("llama_gqa_llama3", "llama_untied_bias", "mistral",
                                           "qwen2_tied", "qwen3"));

TEST(CachedForwardOfStories, WritesTheKnownText) {
  const auto folder = test::data_folder();
  if (!std::filesystem::exists(folder / "stories260k/checkpoint_legacy.bin")) {
    GTEST_SKIP() << "no folder " << folder / "stories260k";
  }
  const auto golden = nlohmann::json::parse(read_text_file(folder / "eval-golden.json"));
  const auto ids = golden["stories260k"]["greedy_ids"].get<std::vector<std::int32_t>>();
  ASSERT_EQ(ids.size(), 129U);
  const ResidentModel model = load_dense(
      std::make_unique<test::StoriesModel>(folder / "stories260k/checkpoint_legacy.bin"));
  const auto written = greedy(model, std::span(ids).first(1), 128);
  EXPECT_EQ(written, std::vector<std::int32_t>(ids.begin() + 1, ids.end()));
}

/// Formats that differ in how a Linear decodes.
std::vector<test::PackedCase> model_cases() {
  using test::make_format;
  const auto scope = CodebookScope::kModel;
  PackedFormat transformed = make_format(16, 300, scope, 128, 3);
  transformed.transform = true;
  return {
      {"PanelScalesSalient", make_format(16, 300, scope, 32, 3), 300, 5},
      {"SparseGroups", test::row_format(make_format(16, 300, scope, 0, 2), true), 300, 0, 0.03},
      {"EightBitScales",
       test::int8_format(test::row_format(make_format(16, 300, scope, 0, 2), true)), 300, 0, 0.03},
      {"RowTimesColumnScales", test::row_column_format(2, 2), 0, 5},
      {"Uniform", test::uniform_format(3, 32), 0, 0},
      {"Transform", transformed, 300, 3},
  };
}

void shrink(Matrix<float>& scales) {
  for (float& value : scales.values()) {
    value = round_to_fp16(value / 32);
  }
}

class PackedForward : public ::testing::TestWithParam<test::PackedCase> {
 protected:
  void SetUp() override {
    configure_torch(1);
    test::PackedFixture fixture("llama_gqa_llama3", GetParam().format, GetParam().salient);
    // Random scales are of size 1; weights are smaller, so that nothing saturates.
    for (auto& block : fixture.blocks) {
      for (QuantizedLinear& linear : block) {
        for (Matrix<float>* scales :
             {&linear.alpha, &linear.mu, &linear.salient_alpha, &linear.salient_mu}) {
          shrink(*scales);
        }
        if (linear.int8_scales) {
          round_to_int8(linear.alpha.values());
        }
      }
    }
    directory_ = fixture.assemble(scratch_.path());
  }
  test::Scratch scratch_{"packed-forward"};
  std::filesystem::path directory_;
};

TEST_P(PackedForward, HasTheLogitsAndTheGreedyTextOfTheDecodedModel) {
  const ResidentModel packed = load_packed(PackedModel::open(directory_));
  const ResidentModel decoded = load_dense(PackedModel::open(directory_));
  const std::vector<std::int32_t> ids = some_ids(packed.config().vocab_size, 20);
  const Matrix<float> expected = full_logits(*decoded.source, ids);
  const Workers workers(2);
  IncrementalForward a(packed, workers, ids.size());
  IncrementalForward b(decoded, workers, ids.size());
  for (std::size_t t = 0; t < ids.size(); ++t) {
    const auto logits = a.append({&ids[t], 1});
    expect_close(logits, expected.row(t), concat("packed, position ", t));
    expect_close(b.append({&ids[t], 1}), expected.row(t), concat("decoded, position ", t));
  }
  EXPECT_EQ(greedy(packed, ids, 30), greedy(decoded, ids, 30));
  EXPECT_LT(packed.bytes().linears, decoded.bytes().linears);
}

TEST_P(PackedForward, ShowsTheInputsOfEveryLinear) {
  const ResidentModel packed = load_packed(PackedModel::open(directory_));
  const std::vector<std::int32_t> ids = some_ids(packed.config().vocab_size, 7);
  const Workers workers(1);
  IncrementalForward forward(packed, workers, ids.size());
  std::size_t seen = 0;
  forward.observe([&](int, SharedInput, MatrixView<const float> before,
                      MatrixView<const float> after) {
    ++seen;
    EXPECT_EQ(before.rows(), 7U);
    const bool same = std::equal(before.data(), before.data() + 7 * before.cols(), after.data());
    EXPECT_EQ(same, !GetParam().format.transform);
  });
  forward.append(ids);
  EXPECT_EQ(seen, 4 * packed.blocks.size());
}

INSTANTIATE_TEST_SUITE_P(Formats, PackedForward, ::testing::ValuesIn(model_cases()),
                         [](const auto& c) { return std::string(c.param.name); });

class GenerateTest : public ::testing::Test {
 protected:
  GenerateTest() : model_(load_dense(Checkpoint::open(test::golden_model("qwen3")))) {}
  Generated run(const GenerateParams& params, int threads = 1) {
    const Workers workers(threads);
    IncrementalForward forward(model_, workers, prompt_.size() + params.max_tokens);
    return generate(forward, prompt_, params, {});
  }
  ResidentModel model_;
  std::vector<std::int32_t> prompt_ = {1, 5, 3};
};

TEST_F(GenerateTest, EqualSeedsGiveEqualIds) {
  GenerateParams params;
  params.max_tokens = 40;
  params.sampling = {1, 0.9};
  params.seed = 7;
  const Generated first = run(params);
  EXPECT_EQ(first.ids.size(), 40U);
  EXPECT_FALSE(first.ended);
  EXPECT_EQ(run(params, 2).ids, first.ids);
  params.seed = 8;
  EXPECT_NE(run(params).ids, first.ids);
}

TEST_F(GenerateTest, StopsAtAnEndIdAndLeavesItOut) {
  GenerateParams params;
  params.max_tokens = 40;
  params.sampling.temperature = 0;
  const Generated whole = run(params);
  params.end_ids = {-1, whole.ids[12]};
  const auto end = std::find(whole.ids.begin(), whole.ids.end(), whole.ids[12]);
  const Generated cut = run(params);
  EXPECT_TRUE(cut.ended);
  EXPECT_EQ(cut.ids, std::vector<std::int32_t>(whole.ids.begin(), end));
}

TEST_F(GenerateTest, GivesEachIdAtOnceAndNoneForNone) {
  GenerateParams params;
  params.max_tokens = 5;
  const Workers workers(1);
  IncrementalForward forward(model_, workers, 8);
  std::vector<std::int32_t> seen;
  const Generated result =
      generate(forward, prompt_, params, [&](std::int32_t id) { seen.push_back(id); });
  EXPECT_EQ(seen, result.ids);
  EXPECT_EQ(result.steps, 4U);
  EXPECT_EQ(forward.position(), 7U) << "nothing is computed after the last id";
  params.max_tokens = 0;
  EXPECT_TRUE(run(params).ids.empty());
}

TEST_F(GenerateTest, RefusesAnEmptyPromptAndUnknownIds) {
  prompt_.clear();
  EXPECT_THROW(run({}), InputError);
  prompt_ = {-1};
  EXPECT_THROW(run({}), InputError);
}

TEST_F(GenerateTest, NeverDrawsAnIdThatTheTokenizerHasNot) {
  GenerateParams params;
  params.max_tokens = 40;
  params.sampling.temperature = 0;
  const Generated free = run(params);
  const std::int32_t largest = *std::max_element(free.ids.begin(), free.ids.end());
  params.vocabulary = static_cast<std::size_t>(largest);
  EXPECT_THAT(run(params).ids, ::testing::Each(::testing::Lt(largest)));
}

}  // namespace
}  // namespace btc
