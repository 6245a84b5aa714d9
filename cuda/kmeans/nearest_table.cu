#include "cuda/kmeans/nearest_table.cuh"

#include "cuda/kmeans/nearest_table.hpp"
#include "cuda/runtime/launch.cuh"
#include "cuda/runtime/team.cuh"

namespace btc::cuda {
namespace {

constexpr int kThreads = 256;

/// Distance 0 at the codewords; the lowest of equal ones stays.
__global__ void place_labels(std::span<const Pattern> codewords, std::uint32_t* keys) {
  const auto k = static_cast<std::uint32_t>(blockIdx.x * blockDim.x + threadIdx.x);
  if (k < codewords.size()) {
    atomicMin(keys + codewords.data()[k], k);
  }
}

__global__ void relax_tiles(CubePass pass, std::uint32_t* keys, std::uint32_t kept) {
  extern __shared__ KeyQuad tile_keys[];
  relax_tile(BlockTeam(), pass, blockIdx.x, keys, kept, tile_keys[0].key.data());
}

}  // namespace

void nearest_labels(const Context& context, std::span<const Pattern> codewords, int vector_length,
                    DeviceArray<std::uint32_t>& labels) {
  labels.fill_bytes(kFarByte);
  launch(context, {.blocks = ceil_div(codewords.size(), kThreads), .threads = kThreads},
         place_labels, codewords, labels.data());
  const std::vector<CubePass> passes = cube_passes(vector_length);
  for (std::size_t i = 0; i < passes.size(); ++i) {
    const bool last = i + 1 == passes.size();
    launch(context,
           {.blocks = passes[i].tiles(),
            .threads = kThreads,
            .shared_bytes = sizeof(std::uint32_t) << passes[i].tile_bits()},
           relax_tiles, passes[i], labels.data(), last ? kLabelMask : ~std::uint32_t{0});
  }
}

}  // namespace btc::cuda
