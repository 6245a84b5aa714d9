#include <memory>
#include <utility>

#include "backend/check_input.hpp"
#include "cuda/kmeans/kmeans_steps.hpp"
#include "cuda/kmeans/nearest_table.cuh"
#include "cuda/runtime/array.cuh"
#include "cuda/runtime/launch.cuh"
#include "cuda/runtime/team.cuh"
#include "cuda/sessions.cuh"

namespace btc::cuda {
namespace {

constexpr int kThreads = 256;
/// Patterns of one block of the E-step.
constexpr std::size_t kRelabelBlock = 2048;

/// Adds integers that blocks share; their order does not show.
struct AtomicAdd {
  __device__ void operator()(std::uint64_t* to, std::uint64_t x) const {
    static_assert(sizeof(std::uint64_t) == sizeof(unsigned long long));
    atomicAdd(reinterpret_cast<unsigned long long*>(to), static_cast<unsigned long long>(x));
  }
};

__global__ void relabel_blocks(std::span<const Pattern> patterns, const std::uint32_t* labels,
                               std::uint32_t* assignment, std::uint64_t* changed) {
  const std::size_t begin = blockIdx.x * kRelabelBlock;
  const std::size_t left = patterns.size() - begin;
  const std::size_t end = begin + (left < kRelabelBlock ? left : kRelabelBlock);
  const std::uint64_t count = relabel(BlockTeam(), patterns.data(), labels, begin, end, assignment);
  if (threadIdx.x == 0 && count > 0) {
    AtomicAdd()(changed, count);
  }
}

/// One warp per pattern, so that its atomics go to neighbouring counts.
__global__ void count_bits(std::span<const Pattern> patterns, const std::uint64_t* counts,
                           const std::uint32_t* assignment, int vector_length,
                           std::uint64_t* clusters) {
  const std::size_t i = warp_in_grid();
  if (i < patterns.size()) {
    const auto width = static_cast<std::size_t>(vector_length) + 1;
    add_to_cluster(WarpTeam(), patterns.data()[i], counts[i], vector_length,
                   clusters + assignment[i] * width, AtomicAdd());
  }
}

__global__ void decide_signs(const std::uint64_t* clusters, int vector_length,
                             std::span<Pattern> centroids) {
  const std::size_t k = static_cast<std::size_t>(blockIdx.x) * blockDim.x + threadIdx.x;
  if (k < centroids.size()) {
    const auto width = static_cast<std::size_t>(vector_length) + 1;
    Pattern& centroid = centroids.data()[k];
    centroid = majority_signs(clusters + k * width, vector_length, centroid);
  }
}

/// Patterns and counts stay on the device; assignments and centroids cross the bus in each call.
class CudaKMeans final : public KMeansSession {
 public:
  CudaKMeans(std::shared_ptr<const Context> context, const PatternHistogram& histogram)
      : context_(std::move(context)),
        histogram_(histogram),
        patterns_(*context_, histogram.patterns),
        counts_(*context_, histogram.counts),
        labels_(*context_, std::size_t{1} << histogram.vector_length) {}

  std::size_t assign(std::span<const Pattern> centroids,
                     std::span<std::uint32_t> assignment) override {
    check_codewords(centroids, histogram_.vector_length);
    check_assignment(histogram_, assignment);
    context_->make_current();
    const DeviceArray<Pattern> codewords(*context_, centroids);
    nearest_labels(*context_, codewords.span(), histogram_.vector_length, labels_);
    const DeviceArray<std::uint32_t> entries(*context_, std::span<const std::uint32_t>(assignment));
    DeviceArray<std::uint64_t> changed(*context_, 1);
    changed.fill_bytes(0);
    launch(*context_, {.blocks = ceil_div(assignment.size(), kRelabelBlock), .threads = kThreads},
           relabel_blocks, patterns_.span(), labels_.data(), entries.data(), changed.data());
    entries.download(assignment);
    return changed.to_vector()[0];
  }

  void update(std::span<const std::uint32_t> assignment, std::span<Pattern> centroids) override {
    check_codewords(centroids, histogram_.vector_length);
    check_assignment(histogram_, assignment);
    check_labels(assignment, centroids.size());
    context_->make_current();
    const int v = histogram_.vector_length;
    const DeviceArray<std::uint32_t> entries(*context_, assignment);
    const DeviceArray<Pattern> signs(*context_, std::span<const Pattern>(centroids));
    DeviceArray<std::uint64_t> clusters(*context_,
                                        centroids.size() * (static_cast<std::size_t>(v) + 1));
    clusters.fill_bytes(0);
    launch(*context_,
           {.blocks = ceil_div(assignment.size(), kThreads / kWarpSize), .threads = kThreads},
           count_bits, patterns_.span(), counts_.data(), entries.data(), v, clusters.data());
    launch(*context_, {.blocks = ceil_div(centroids.size(), kThreads), .threads = kThreads},
           decide_signs, clusters.data(), v, signs.span());
    signs.download(centroids);
    context_->wait();
  }

 private:
  std::shared_ptr<const Context> context_;
  const PatternHistogram& histogram_;
  DeviceArray<Pattern> patterns_;
  DeviceArray<std::uint64_t> counts_;
  DeviceArray<std::uint32_t> labels_;  ///< [2^v], of the last centroids
};

}  // namespace

std::unique_ptr<KMeansSession> make_kmeans(std::shared_ptr<const Context> context,
                                           const PatternHistogram& histogram) {
  check_histogram(histogram);
  context->make_current();
  return std::make_unique<CudaKMeans>(std::move(context), histogram);
}

}  // namespace btc::cuda
