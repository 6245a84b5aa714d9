#include "cuda/kmeans/codeword_search.cuh"

#include <algorithm>
#include <utility>

#include "backend/check_input.hpp"
#include "cuda/kmeans/nearest_table.cuh"
#include "cuda/kmeans/weighted_search.hpp"
#include "cuda/runtime/launch.cuh"
#include "cuda/runtime/team.cuh"
#include "cuda/sessions.cuh"

namespace btc::cuda {
namespace {

constexpr int kThreads = 256;
/// Patterns that are on the device at once, and sub-vectors with their costs.
constexpr std::size_t kHammingSlice = std::size_t{1} << 22U;
constexpr std::size_t kWeightedSlice = std::size_t{1} << 18U;

__global__ void look_up(std::span<const Pattern> patterns, const std::uint32_t* labels,
                        std::uint32_t* index) {
  const std::size_t i = static_cast<std::size_t>(blockIdx.x) * blockDim.x + threadIdx.x;
  if (i < patterns.size()) {
    index[i] = labels[patterns.data()[i]];
  }
}

__global__ void __launch_bounds__(kThreads) search_groups(WeightedQuery query) {
  extern __shared__ FlipCosts flip_tables[];
  __shared__ WeightedScratch scratch;
  search_weighted(BlockTeam(), query, static_cast<std::size_t>(blockIdx.x) * kFlipLanes,
                  flip_tables, scratch);
}

}  // namespace

CodewordSearch::CodewordSearch(std::shared_ptr<const Context> context,
                               std::span<const Pattern> codewords, int vector_length)
    : context_(std::move(context)),
      vector_length_(vector_length),
      codewords_(codewords.begin(), codewords.end()),
      device_codewords_(*context_, codewords),
      labels_(*context_, std::size_t{1} << vector_length) {
  nearest_labels(*context_, device_codewords(), vector_length, labels_);
  context_->wait();  // sessions on other streams read both
}

void CodewordSearch::nearest(std::span<const Pattern> patterns,
                             std::span<std::uint32_t> index) const {
  check_patterns(patterns, vector_length_);
  check_results(patterns.size(), index.size());
  context_->make_current();
  for (std::size_t begin = 0; begin < patterns.size(); begin += kHammingSlice) {
    const std::size_t count = std::min(kHammingSlice, patterns.size() - begin);
    const DeviceArray<Pattern> asked(*context_, patterns.subspan(begin, count));
    const DeviceArray<std::uint32_t> found(*context_, count);
    launch(*context_, {.blocks = ceil_div(count, kThreads), .threads = kThreads}, look_up,
           asked.span(), labels_.data(), found.data());
    found.download(index.subspan(begin, count));
  }
  context_->wait();
}

void CodewordSearch::nearest_weighted(std::span<const Pattern> own,
                                      MatrixView<const std::int32_t> costs,
                                      std::span<std::uint32_t> index) const {
  check_weighted_shapes(own.size(), costs, index.size(), vector_length_);
  check_patterns(own, vector_length_);
  for (std::size_t i = 0; i < own.size(); ++i) {
    check_flip_costs(costs.row(i));
  }
  context_->make_current();
  for (std::size_t begin = 0; begin < own.size(); begin += kWeightedSlice) {
    const std::size_t count = std::min(kWeightedSlice, own.size() - begin);
    const DeviceArray<Pattern> asked(*context_, own.subspan(begin, count));
    const DeviceMatrix<std::int32_t> prices(*context_,
                                            costs.sub(begin, begin + count, 0, costs.cols()));
    const DeviceArray<std::uint32_t> found(*context_, count);
    launch(*context_,
           {.blocks = ceil_div(count, kFlipLanes),
            .threads = kThreads,
            .shared_bytes =
                static_cast<std::size_t>(flip_table_entries(vector_length_)) * sizeof(FlipCosts)},
           search_groups,
           WeightedQuery{device_codewords(), asked.span(), prices.view(), found.data()});
    found.download(index.subspan(begin, count));
  }
  context_->wait();
}

std::unique_ptr<btc::CodewordSearch> make_codewords(std::shared_ptr<const Context> context,
                                                    std::span<const Pattern> codewords,
                                                    int vector_length) {
  check_codewords(codewords, vector_length);
  context->make_current();
  return std::make_unique<CodewordSearch>(std::move(context), codewords, vector_length);
}

}  // namespace btc::cuda
