#include <bit>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "backend/check_input.hpp"
#include "backend/reference/sessions.hpp"

namespace btc {
namespace {

std::uint32_t nearest_centroid(Pattern pattern, std::span<const Pattern> centroids) {
  std::uint32_t best = 0;
  for (std::uint32_t k = 1; k < centroids.size(); ++k) {
    if (std::popcount(pattern ^ centroids[k]) < std::popcount(pattern ^ centroids[best])) {
      best = k;
    }
  }
  return best;
}

class ReferenceKMeans final : public KMeansSession {
 public:
  explicit ReferenceKMeans(const PatternHistogram& histogram) : histogram_(histogram) {
    check_histogram(histogram);
  }

  std::size_t assign(std::span<const Pattern> centroids,
                     std::span<std::uint32_t> assignment) override {
    check_codewords(centroids, histogram_.vector_length);
    check_assignment(histogram_, assignment);
    std::size_t changed = 0;
    for (std::size_t i = 0; i < assignment.size(); ++i) {
      const std::uint32_t label = nearest_centroid(histogram_.patterns[i], centroids);
      changed += static_cast<std::size_t>(label != assignment[i]);
      assignment[i] = label;
    }
    return changed;
  }

  void update(std::span<const std::uint32_t> assignment, std::span<Pattern> centroids) override {
    check_codewords(centroids, histogram_.vector_length);
    check_assignment(histogram_, assignment);
    check_labels(assignment, centroids.size());
    const auto v = static_cast<std::size_t>(histogram_.vector_length);
    std::vector<std::int64_t> sums(centroids.size() * v, 0);
    std::vector<bool> used(centroids.size(), false);
    for (std::size_t i = 0; i < assignment.size(); ++i) {
      const auto count = static_cast<std::int64_t>(histogram_.counts[i]);
      used[assignment[i]] = true;
      for (std::size_t b = 0; b < v; ++b) {
        const bool plus = ((histogram_.patterns[i] >> b) & 1U) != 0;
        sums[assignment[i] * v + b] += plus ? count : -count;
      }
    }
    for (std::size_t k = 0; k < centroids.size(); ++k) {
      if (!used[k]) {
        continue;
      }
      centroids[k] = 0;
      for (std::size_t b = 0; b < v; ++b) {
        centroids[k] |= (sums[k * v + b] >= 0 ? Pattern{1} : Pattern{0}) << b;
      }
    }
  }

 private:
  const PatternHistogram& histogram_;
};

}  // namespace

std::unique_ptr<KMeansSession> make_reference_kmeans(const PatternHistogram& histogram) {
  return std::make_unique<ReferenceKMeans>(histogram);
}

}  // namespace btc
