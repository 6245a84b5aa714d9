#include "learn/params.hpp"

#include <gmock/gmock.h>

#include <functional>

#include "common/error.hpp"

namespace btc {
namespace {

using ::testing::HasSubstr;

TEST(LearnParams, ScheduleOfEachKind) {
  TransformParams params;
  params.kind = TransformKind::kBtcPaper;
  EXPECT_EQ(schedule_of(params).most_steps, 30);
  EXPECT_DOUBLE_EQ(schedule_of(params).learning_rate, 1e-4);
  EXPECT_EQ(schedule_of(params).batch, 16);
  EXPECT_EQ(schedule_of(params).patience, 10);
  EXPECT_LT(schedule_of(params).sign_start, 1e-4 * 30) << "the steps can flip a sign";
  params.kind = TransformKind::kFlatQuant;
  EXPECT_EQ(schedule_of(params).epochs, 15);
  EXPECT_TRUE(schedule_of(params).cosine);
  params.epochs = 2;
  params.learning_rate = 0.01;
  params.batch = 7;
  params.sign_start = 0.1;
  EXPECT_EQ(schedule_of(params).epochs, 2);
  EXPECT_DOUBLE_EQ(schedule_of(params).learning_rate, 0.01);
  EXPECT_EQ(schedule_of(params).batch, 7);
  EXPECT_DOUBLE_EQ(schedule_of(params).sign_start, 0.1);
}

void expect_refused(const std::function<void(TransformParams&, BinarizeParams&)>& change,
                    const char* text) {
  TransformParams transform;
  transform.kind = TransformKind::kFlatQuant;
  BinarizeParams binarize;
  CodebookParams codebook;
  codebook.vector_length = 8;
  codebook.target_bits = 0.8;
  check_params(transform, binarize, codebook);
  change(transform, binarize);
  try {
    check_params(transform, binarize, codebook);
    FAIL() << "accepted: " << text;
  } catch (const ConfigError& error) {
    EXPECT_THAT(error.what(), HasSubstr(text));
  }
}

TEST(LearnParams, RefusesWhatCannotWork) {
  expect_refused(
      [](auto& t, auto&) {
        t.similarity = 0.1;
        t.eigenvalues = 8;
      },
      "expected less than codebook.vector_length = 8");
  expect_refused([](auto& t, auto&) { t.factors = t.signs = false; }, "neither factors nor signs");
  expect_refused([](auto&, auto& b) { b.uniform = UniformRule::kRtn; }, "binarize.uniform");
  expect_refused(
      [](auto& t, auto& b) {
        t.kind = TransformKind::kRandom;
        b.scales = ScaleLayout::kGiven;
      },
      "expected none with binarize.scales: given");
  expect_refused(
      [](auto& t, auto&) {
        t.kind = TransformKind::kRandom;
        t.epochs = 3;
      },
      "expect kind btc_paper or flatquant");
  expect_refused(
      [](auto& t, auto&) {
        t.kind = TransformKind::kRandom;
        t.precision = Precision::kBf16;
      },
      "precision");
  expect_refused(
      [](auto& t, auto&) {
        t.kind = TransformKind::kNone;
        t.signs = false;
      },
      "kind none");
}

TEST(LearnParams, SimilarityNeedsACodebook) {
  TransformParams transform;
  transform.kind = TransformKind::kFlatQuant;
  check_params(transform, {}, std::nullopt);
  transform.similarity = 1;
  EXPECT_THROW(check_params(transform, {}, std::nullopt), ConfigError);
}

}  // namespace
}  // namespace btc
