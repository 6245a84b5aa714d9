/// The device's relabelling and majority step against the reference.
#include <gmock/gmock.h>

#include <atomic>
#include <set>

#include "backend/backend.hpp"
#include "common/rng.hpp"
#include "cuda/kmeans/kmeans_steps.hpp"
#include "support/host_team.hpp"

namespace btc::cuda {
namespace {

struct AtomicAdd {
  void operator()(std::uint64_t* to, std::uint64_t x) const {
    std::atomic_ref<std::uint64_t>(*to).fetch_add(x);
  }
};

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

std::vector<Pattern> updated(const PatternHistogram& histogram,
                             const std::vector<std::uint32_t>& assignment,
                             std::vector<Pattern> centroids, int size) {
  const auto width = static_cast<std::size_t>(histogram.vector_length) + 1;
  std::vector<std::uint64_t> clusters(centroids.size() * width, 0);
  test::run_team(size, [&](const test::HostTeam& team) {
    for (std::size_t i = 0; i < assignment.size(); ++i) {
      add_to_cluster(team, histogram.patterns[i], histogram.counts[i], histogram.vector_length,
                     clusters.data() + assignment[i] * width, AtomicAdd());
    }
  });
  for (std::size_t k = 0; k < centroids.size(); ++k) {
    centroids[k] =
        majority_signs(clusters.data() + k * width, histogram.vector_length, centroids[k]);
  }
  return centroids;
}

TEST(KMeansSteps, MajorityIsTheReferencesWithTiesAndEmptyClusters) {
  Rng rng(1);
  for (const int v : {4, 7, 16, 24}) {
    for (const std::uint64_t largest : {std::uint64_t{1}, std::uint64_t{1} << 40U}) {
      const PatternHistogram histogram = random_histogram(v, 300, largest, rng);
      std::vector<Pattern> centroids(90);
      for (auto& centroid : centroids) {
        centroid = static_cast<Pattern>(rng.below(std::uint64_t{1} << v));
      }
      std::vector<std::uint32_t> assignment(histogram.patterns.size());
      for (auto& label : assignment) {
        label = static_cast<std::uint32_t>(rng.below(centroids.size()));
      }
      std::vector<Pattern> expected = centroids;
      make_reference_backend()->open_kmeans(histogram)->update(assignment, expected);
      EXPECT_EQ(updated(histogram, assignment, centroids, 1), expected) << v;
      EXPECT_EQ(updated(histogram, assignment, centroids, 32), expected) << v;
    }
  }
}

TEST(KMeansSteps, TieIsPlusAndAnEmptyClusterKeepsItsCentroid) {
  const PatternHistogram histogram{4, {0b0001, 0b0010}, {3, 3}};
  EXPECT_THAT(updated(histogram, {1, 1}, {0b1010, 0}, 32), ::testing::ElementsAre(0b1010, 0b0011));
}

TEST(KMeansSteps, RelabelCountsWhatChanges) {
  Rng rng(2);
  const std::vector<Pattern> patterns = {0, 3, 4, 7, 8, 9, 15};
  std::vector<std::uint32_t> labels(16);
  for (auto& label : labels) {
    label = static_cast<std::uint32_t>(rng.below(3));
  }
  for (const int size : {1, 32}) {
    std::vector<std::uint32_t> assignment = {9, 9, 9, 9, 9, 9, 9};
    assignment[3] = labels[7];
    test::run_team(size, [&](const test::HostTeam& team) {
      EXPECT_EQ(relabel(team, patterns.data(), labels.data(), 1, 6, assignment.data()), 4U);
    });
    EXPECT_THAT(assignment, ::testing::ElementsAre(9, labels[3], labels[4], labels[7], labels[8],
                                                   labels[9], 9));
  }
}

}  // namespace
}  // namespace btc::cuda
