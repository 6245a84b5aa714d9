#include <gmock/gmock.h>

#include <algorithm>
#include <numeric>
#include <set>

#include "common/error.hpp"
#include "common/rng.hpp"
#include "support/backends.hpp"

namespace btc {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

class KMeans : public test::BackendTest {};
BTC_FOR_ALL_BACKENDS(KMeans);

PatternHistogram random_histogram(int v, std::size_t draws, std::uint64_t largest, Rng& rng) {
  std::set<Pattern> patterns;
  for (std::size_t i = 0; i < draws; ++i) {
    patterns.insert(static_cast<Pattern>(rng.below(std::uint64_t{1} << v)));
  }
  PatternHistogram histogram{v, {patterns.begin(), patterns.end()}, {}};
  for (std::size_t i = 0; i < patterns.size(); ++i) {
    histogram.counts.push_back(1 + rng.below(largest));
  }
  return histogram;
}

/// Random centroids of which about one in eight is a copy of an earlier one.
std::vector<Pattern> random_centroids(int v, std::size_t c, Rng& rng) {
  std::vector<Pattern> centroids(c);
  for (std::size_t k = 0; k < c; ++k) {
    const bool copy = k > 0 && rng.below(8) == 0;
    centroids[k] =
        copy ? centroids[rng.below(k)] : static_cast<Pattern>(rng.below(std::uint64_t{1} << v));
  }
  return centroids;
}

/// Two rounds of both steps; every integer must be the reference's.
void expect_reference(Backend& backend, const PatternHistogram& histogram,
                      std::vector<Pattern> centroids) {
  const auto session = backend.open_kmeans(histogram);
  const auto truth = make_reference_backend()->open_kmeans(histogram);
  std::vector<std::uint32_t> assignment(histogram.patterns.size(), 0);
  auto expected_assignment = assignment;
  auto expected_centroids = centroids;
  for (int round = 0; round < 2; ++round) {
    EXPECT_EQ(session->assign(centroids, assignment),
              truth->assign(expected_centroids, expected_assignment));
    EXPECT_EQ(assignment, expected_assignment);
    session->update(assignment, centroids);
    truth->update(expected_assignment, expected_centroids);
    EXPECT_EQ(centroids, expected_centroids);
  }
}

// v = 4, checked by hand. 0b0011 is 1 away from 0b0001 and 0b0111: the lower index wins.
TEST_P(KMeans, HandCheckedStep) {
  const PatternHistogram histogram{4, {0b0001, 0b0011, 0b1110}, {1, 5, 2}};
  const auto session = backend_->open_kmeans(histogram);
  std::vector<Pattern> centroids = {0b0001, 0b0111, 0b1111, 0b0000};
  std::vector<std::uint32_t> assignment = {0, 9, 9};
  EXPECT_EQ(session->assign(centroids, assignment), 2U);
  EXPECT_THAT(assignment, ElementsAre(0, 0, 2));
  session->update(assignment, centroids);
  EXPECT_THAT(centroids, ElementsAre(0b0011, 0b0111, 0b1110, 0b0000));
}

TEST_P(KMeans, MajorityTieBecomesPlusOne) {
  const PatternHistogram histogram{4, {0b0001, 0b0010}, {3, 3}};
  const auto session = backend_->open_kmeans(histogram);
  std::vector<Pattern> centroids = {0};
  session->update(std::vector<std::uint32_t>{0, 0}, centroids);
  EXPECT_THAT(centroids, ElementsAre(0b0011));
}

TEST_P(KMeans, EmptyClusterKeepsItsCentroid) {
  const PatternHistogram histogram{5, {0b00001}, {7}};
  const auto session = backend_->open_kmeans(histogram);
  std::vector<Pattern> centroids = {0b10101, 0b00000, 0b01010};
  session->update(std::vector<std::uint32_t>{1}, centroids);
  EXPECT_THAT(centroids, ElementsAre(0b10101, 0b00001, 0b01010));
}

TEST_P(KMeans, AssignmentMatchesReferenceForEveryVectorLength) {
  for (int v = kMinVectorLength; v <= kMaxVectorLength; ++v) {
    SCOPED_TRACE(v);
    Rng rng(derive_seed(1, "kmeans", static_cast<std::uint64_t>(v)));
    // Few patterns (each is compared with each centroid) and, up to v = 16, enough for the table.
    const std::size_t draws = v <= 16 ? 4000 : 200;
    expect_reference(*backend_, random_histogram(v, draws, 1000, rng),
                     random_centroids(v, 1 + rng.below(600), rng));
    expect_reference(*backend_, random_histogram(v, 10, 3, rng), random_centroids(v, 3, rng));
  }
}

TEST_P(KMeans, OneCentroidTakesTheMajorityOfAll) {
  Rng rng(2);
  expect_reference(*backend_, random_histogram(12, 500, 9, rng), {0b1010});
}

TEST_P(KMeans, AsManyCentroidsAsPatternsAreEachTheirOwn) {
  Rng rng(3);
  for (const int v : {4, 7, 11}) {
    std::vector<Pattern> centroids(std::size_t{1} << v);
    std::iota(centroids.begin(), centroids.end(), Pattern{0});
    for (std::size_t i = centroids.size() - 1; i > 0; --i) {
      std::swap(centroids[i], centroids[rng.below(i + 1)]);
    }
    const PatternHistogram histogram = random_histogram(v, 5000, 5, rng);
    std::vector<std::uint32_t> assignment(histogram.patterns.size(), 0);
    backend_->open_kmeans(histogram)->assign(centroids, assignment);
    for (std::size_t i = 0; i < assignment.size(); ++i) {
      ASSERT_EQ(centroids[assignment[i]], histogram.patterns[i]);
    }
  }
}

// 2^40 minus against 2^40 + 1 plus: 32-bit or float sums would lose the one.
TEST_P(KMeans, CountsBeyondThirtyTwoBitsDecide) {
  const std::uint64_t many = std::uint64_t{1} << 40U;
  const PatternHistogram histogram{20, {0b01, 0b10}, {many, many + 1}};
  std::vector<Pattern> centroids = {0xFFFFF};
  const auto session = backend_->open_kmeans(histogram);
  session->update(std::vector<std::uint32_t>{0, 0}, centroids);
  EXPECT_THAT(centroids, ElementsAre(0b10));
  Rng rng(4);
  expect_reference(*backend_, random_histogram(16, 3000, many, rng),
                   random_centroids(16, 200, rng));
}

// Several parts of the patterns are summed on their own only when there are many per centroid.
TEST_P(KMeans, ManyPatternsPerCentroid) {
  Rng rng(5);
  expect_reference(*backend_, random_histogram(17, 60000, 50, rng), random_centroids(17, 40, rng));
}

TEST_P(KMeans, EmptyHistogramChangesNothing) {
  const PatternHistogram histogram{16, {}, {}};
  const auto session = backend_->open_kmeans(histogram);
  std::vector<Pattern> centroids = {5, 6};
  EXPECT_EQ(session->assign(centroids, {}), 0U);
  session->update({}, centroids);
  EXPECT_THAT(centroids, ElementsAre(5, 6));
}

template <typename Call>
std::string error_of(Call call) {
  try {
    call();
  } catch (const InputError& error) {
    return error.what();
  }
  return "no InputError";
}

TEST_P(KMeans, BadInputIsNamed) {
  const auto open = [&](const PatternHistogram& h) { return backend_->open_kmeans(h); };
  EXPECT_THAT(error_of([&] { open({3, {}, {}}); }), HasSubstr("got 3, expected 4 to 24"));
  EXPECT_THAT(error_of([&] { open({4, {16}, {1}}); }), HasSubstr("got 16, expected less than 2^4"));
  EXPECT_THAT(error_of([&] { open({4, {2, 2}, {1, 1}}); }), HasSubstr("pattern 2 follows 2"));
  EXPECT_THAT(error_of([&] { open({4, {2}, {0}}); }), HasSubstr("count 0 is 0"));
  EXPECT_THAT(error_of([&] { open({4, {2}, {}}); }), HasSubstr("got 0 counts for 1 patterns"));
  const PatternHistogram histogram{4, {2, 3}, {1, 1}};
  const auto session = open(histogram);
  std::vector<Pattern> centroids = {1, 2};
  std::vector<std::uint32_t> assignment = {0, 2};
  EXPECT_THAT(error_of([&] { session->update(assignment, centroids); }),
              HasSubstr("got label 2, expected less than 2"));
  EXPECT_THAT(error_of([&] { session->assign({}, assignment); }), HasSubstr("got 0, expected 1"));
  assignment.pop_back();
  EXPECT_THAT(error_of([&] { session->assign(centroids, assignment); }),
              HasSubstr("got 1 entries, expected 2"));
}

}  // namespace
}  // namespace btc
