#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <numeric>
#include <vector>

#include "backend/check_input.hpp"
#include "backend/cpu/nearest_table.hpp"
#include "backend/cpu/sessions.hpp"

namespace btc {
namespace {

/// Patterns of one task.
constexpr std::size_t kBlock = 4096;

/// How many patterns before its use a row of sums is fetched.
constexpr std::size_t kAhead = 16;

/// The vector of 32 bytes whose elements are Sum.
template <typename Sum>
struct VectorOf;
template <>
struct VectorOf<std::int32_t> {
  using Type = std::int32_t __attribute__((vector_size(32)));
};
template <>
struct VectorOf<std::int64_t> {
  using Type = std::int64_t __attribute__((vector_size(32)));
};

/// Adds +count or -count to each of the `Width` sums of a pattern's label. Width >= v; sums of
/// bits >= v are never read.
template <typename Sum, std::size_t Width>
void add_signed_counts(const PatternHistogram& histogram, std::span<const std::uint32_t> assignment,
                       std::size_t begin, std::size_t end, std::vector<Sum>& sums) {
  // Vectors by hand: the compiler unrolls a plain loop over the bits and leaves it scalar.
  constexpr std::size_t kLanes = sizeof(typename VectorOf<Sum>::Type) / sizeof(Sum);
  using Lanes = typename VectorOf<Sum>::Type;
  std::array<Lanes, Width / kLanes> bit;
  for (std::size_t b = 0; b < Width; ++b) {
    bit[b / kLanes][b % kLanes] = static_cast<Sum>(b);
  }
  for (std::size_t i = begin; i < end; ++i) {
    const auto count = static_cast<Sum>(histogram.counts[i]);
    const auto pattern = static_cast<Sum>(histogram.patterns[i]);
    Sum* const row = sums.data() + assignment[i] * Width;
    // The sums of large codebooks do not fit the second-level cache.
    const Sum* const later = sums.data() + assignment[std::min(i + kAhead, end - 1)] * Width;
    __builtin_prefetch(later, 1);
    __builtin_prefetch(later + Width - 1, 1);
    for (std::size_t part = 0; part < bit.size(); ++part) {
      const Lanes minus = ((pattern >> bit[part]) & 1) - 1;  // 0, or -1 where the sign is minus
      Lanes sum;
      std::memcpy(&sum, row + part * kLanes, sizeof(sum));
      sum += (count ^ minus) - minus;
      std::memcpy(row + part * kLanes, &sum, sizeof(sum));
    }
  }
}

/// The majority step with sums of type Sum, which holds the sum of all counts.
template <typename Sum, std::size_t Width>
void majority(const PatternHistogram& histogram, std::span<const std::uint32_t> assignment,
              std::span<Pattern> centroids, const Workers& workers) {
  const std::size_t n = assignment.size();
  const std::size_t c = centroids.size();
  const Pattern all = (Pattern{1} << histogram.vector_length) - 1;
  // One set of sums per part; integers, so the number of parts does not show in the result.
  const std::size_t parts =
      std::clamp<std::size_t>(n / (2 * c), 1, static_cast<std::size_t>(workers.threads()));
  std::vector<std::vector<Sum>> sums(parts);
  std::vector<std::vector<std::uint8_t>> used(parts);
  workers.for_blocks(parts, 1, [&](std::size_t part, std::size_t) {
    sums[part].assign(c * Width, 0);
    used[part].assign(c, 0);
    const std::size_t begin = n * part / parts;
    const std::size_t end = n * (part + 1) / parts;
    add_signed_counts<Sum, Width>(histogram, assignment, begin, end, sums[part]);
    for (std::size_t i = begin; i < end; ++i) {
      used[part][assignment[i]] = 1;
    }
  });
  workers.for_blocks(c, kBlock, [&](std::size_t begin, std::size_t end) {
    for (std::size_t k = begin; k < end; ++k) {
      std::array<Sum, Width> total{};
      bool any = false;
      for (std::size_t part = 0; part < parts; ++part) {
        any = any || used[part][k] != 0;
        for (std::size_t b = 0; b < Width; ++b) {
          total[b] += sums[part][k * Width + b];
        }
      }
      Pattern signs = 0;
      for (std::size_t b = 0; b < Width; ++b) {
        signs |= static_cast<Pattern>(total[b] >= 0) << b;
      }
      centroids[k] = any ? signs & all : centroids[k];
    }
  });
}

template <typename Sum>
void majority_of(const PatternHistogram& histogram, std::span<const std::uint32_t> assignment,
                 std::span<Pattern> centroids, const Workers& workers) {
  if (histogram.vector_length <= 8) {
    majority<Sum, 8>(histogram, assignment, centroids, workers);
  } else if (histogram.vector_length <= 16) {
    majority<Sum, 16>(histogram, assignment, centroids, workers);
  } else {
    majority<Sum, 24>(histogram, assignment, centroids, workers);
  }
}

class CpuKMeans final : public KMeansSession {
 public:
  CpuKMeans(const PatternHistogram& histogram, std::shared_ptr<const Workers> workers)
      : histogram_(histogram), workers_(std::move(workers)) {
    check_histogram(histogram);
    total_ = std::accumulate(histogram.counts.begin(), histogram.counts.end(), std::uint64_t{0});
  }

  std::size_t assign(std::span<const Pattern> centroids,
                     std::span<std::uint32_t> assignment) override {
    check_codewords(centroids, histogram_.vector_length);
    check_assignment(histogram_, assignment);
    const auto v = static_cast<std::size_t>(histogram_.vector_length);
    const std::size_t pairs = assignment.size() * centroids.size();
    if (pairs < v << v) {
      return relabel(assignment, [&](Pattern p) { return nearest_by_scan(p, centroids); });
    }
    table_.build(centroids, histogram_.vector_length, *workers_);
    return relabel(assignment, [&](Pattern p) { return table_.label(p); });
  }

  void update(std::span<const std::uint32_t> assignment, std::span<Pattern> centroids) override {
    check_codewords(centroids, histogram_.vector_length);
    check_assignment(histogram_, assignment);
    check_labels(assignment, centroids.size());
    if (total_ < std::uint64_t{1} << 31U) {
      majority_of<std::int32_t>(histogram_, assignment, centroids, *workers_);
    } else {
      majority_of<std::int64_t>(histogram_, assignment, centroids, *workers_);
    }
  }

 private:
  /// Overwrites each entry by label(pattern). @return how many entries changed
  template <typename Label>
  std::size_t relabel(std::span<std::uint32_t> assignment, Label label) const {
    std::vector<std::size_t> changed(ceil_div(assignment.size(), kBlock), 0);
    workers_->for_blocks(assignment.size(), kBlock, [&](std::size_t begin, std::size_t end) {
      std::size_t sum = 0;
      for (std::size_t i = begin; i < end; ++i) {
        const std::uint32_t now = label(histogram_.patterns[i]);
        sum += static_cast<std::size_t>(now != assignment[i]);
        assignment[i] = now;
      }
      changed[begin / kBlock] = sum;
    });
    return std::accumulate(changed.begin(), changed.end(), std::size_t{0});
  }

  const PatternHistogram& histogram_;
  std::shared_ptr<const Workers> workers_;
  std::uint64_t total_ = 0;
  NearestTable table_;
};

}  // namespace

std::unique_ptr<KMeansSession> make_cpu_kmeans(const PatternHistogram& histogram,
                                               std::shared_ptr<const Workers> workers) {
  return std::make_unique<CpuKMeans>(histogram, std::move(workers));
}

}  // namespace btc
