#include "quant/codebook.hpp"

#include <gmock/gmock.h>

#include <set>

#include "common/rng.hpp"

namespace btc {
namespace {

using ::testing::ElementsAre;

CodebookParams params_of(int v, std::int64_t c) {
  CodebookParams params;
  params.vector_length = v;
  params.centroids = c;
  return params;
}

class CodebookTest : public ::testing::Test {
 protected:
  std::unique_ptr<Backend> backend_ = make_reference_backend();
};

TEST_F(CodebookTest, FewPatternsAreTheCodebookThemselves) {
  const PatternHistogram histogram{4, {1, 7, 12}, {5, 1, 9}};
  const Codebook codebook = learn_codebook(histogram, params_of(4, 3), 1, *backend_);
  EXPECT_THAT(codebook.codewords, ElementsAre(1, 7, 12));
  EXPECT_EQ(codebook.mean_flips, 0);
  EXPECT_EQ(codebook.iterations, 0);
}

TEST_F(CodebookTest, FrequencyInitTakesTheLowerPatternOfEqualCounts) {
  CodebookParams params = params_of(4, 2);
  params.iterations = 0;
  const PatternHistogram histogram{4, {0, 3, 9, 15}, {4, 7, 7, 7}};
  EXPECT_THAT(learn_codebook(histogram, params, 1, *backend_).codewords, ElementsAre(3, 9));
}

// 0000 x8, 0001 x1, 1111 x8, 0111 x1 with two centroids: both stray patterns are one flip away.
TEST_F(CodebookTest, MeanFlipsCountsPerSign) {
  const PatternHistogram histogram{4, {0b0000, 0b0001, 0b0111, 0b1111}, {8, 1, 1, 8}};
  const Codebook codebook = learn_codebook(histogram, params_of(4, 2), 1, *backend_);
  EXPECT_THAT(codebook.codewords, ElementsAre(0b0000, 0b1111));
  EXPECT_DOUBLE_EQ(codebook.mean_flips, 2.0 / 18 / 4);
}

TEST_F(CodebookTest, RandomInitIsReproducibleAndDistinct) {
  PatternHistogram histogram{8, {}, {}};
  for (Pattern p = 0; p < 256; ++p) {
    histogram.patterns.push_back(p);
    histogram.counts.push_back(1 + p % 3);
  }
  CodebookParams params = params_of(8, 40);
  params.init = CodebookInit::kRandom;
  params.iterations = 0;
  const auto a = learn_codebook(histogram, params, 1, *backend_).codewords;
  EXPECT_EQ(a, learn_codebook(histogram, params, 1, *backend_).codewords);
  EXPECT_NE(a, learn_codebook(histogram, params, 2, *backend_).codewords);
  EXPECT_EQ(std::set<Pattern>(a.begin(), a.end()).size(), 40U);
}

TEST_F(CodebookTest, MoreIterationsNeverRaiseTheFlips) {
  Rng rng(9);
  PatternHistogram histogram{10, {}, {}};
  for (Pattern p = 0; p < 1024; ++p) {
    histogram.patterns.push_back(p);
    histogram.counts.push_back(1 + rng.below(50));
  }
  CodebookParams params = params_of(10, 30);
  params.init = CodebookInit::kRandom;
  double last = 1;
  for (params.iterations = 0; params.iterations < 6; ++params.iterations) {
    const double flips = learn_codebook(histogram, params, 3, *backend_).mean_flips;
    EXPECT_LE(flips, last);
    last = flips;
  }
  EXPECT_LT(last, 0.2);
}

TEST_F(CodebookTest, RefusesAnEmptyHistogram) {
  EXPECT_THROW(learn_codebook({4, {}, {}}, params_of(4, 2), 1, *backend_), NumericError);
}

}  // namespace
}  // namespace btc
