#pragma once
/// Teams of the device. The arithmetic of a kernel is a template over its team: a warp or a block
/// here, threads of the host in the CPU tests. A team has
///   rank(), size()  this member, and how many there are;
///   sync()          what any member wrote before, every member reads after;
///   sum(x), lowest(key)  over all members, in a fixed order: every member gets the same bits.
/// Every member makes the same calls in the same order. `WarpPartTeam` has rank, size, sum and
///   any(flag)  whether a member says so, or one of a team beside it in the warp.

#include <cstdint>

namespace btc::cuda {

inline constexpr int kWarpSize = 32;

/// One warp.
struct WarpTeam {
  __device__ int rank() const { return static_cast<int>(threadIdx.x) % kWarpSize; }
  static __device__ constexpr int size() { return kWarpSize; }
  __device__ void sync() const { __syncwarp(); }

  template <typename T>
  __device__ T sum(T x) const {
    for (int mask = 1; mask < kWarpSize; mask *= 2) {
      x += __shfl_xor_sync(~0U, x, mask);
    }
    return x;
  }
  __device__ std::uint64_t lowest(std::uint64_t key) const {
    for (int mask = 1; mask < kWarpSize; mask *= 2) {
      const std::uint64_t other = __shfl_xor_sync(~0U, key, mask);
      key = other < key ? other : key;
    }
    return key;
  }
};

/// Every `kLanes` lanes of a warp, a power of two. The teams of a warp call together: what one has
/// to do again (`any`), all do.
template <int kLanes>
struct WarpPartTeam {
  static_assert(kWarpSize % kLanes == 0);
  __device__ int rank() const { return static_cast<int>(threadIdx.x) % kLanes; }
  static __device__ constexpr int size() { return kLanes; }

  template <typename T>
  __device__ T sum(T x) const {
    for (int mask = 1; mask < kLanes; mask *= 2) {
      x += __shfl_xor_sync(~0U, x, mask);
    }
    return x;
  }
  __device__ bool any(bool flag) const { return __any_sync(~0U, flag ? 1 : 0) != 0; }
};

/// The number of this warp in the whole grid.
inline __device__ std::size_t warp_in_grid() {
  return (static_cast<std::size_t>(blockIdx.x) * blockDim.x + threadIdx.x) / kWarpSize;
}

/// One block; its size is a multiple of a warp's.
struct BlockTeam {
  __device__ int rank() const { return static_cast<int>(threadIdx.x); }
  __device__ int size() const { return static_cast<int>(blockDim.x); }
  __device__ void sync() const { __syncthreads(); }

  /// Warps first, then their sums in ascending order.
  template <typename T>
  __device__ T sum(T x) const {
    __shared__ T part[kWarpSize];
    x = WarpTeam().sum(x);
    __syncthreads();  // the last call's parts have been read
    if (rank() % kWarpSize == 0) {
      part[rank() / kWarpSize] = x;
    }
    __syncthreads();
    T total = part[0];
    for (int warp = 1; warp < size() / kWarpSize; ++warp) {
      total += part[warp];
    }
    return total;
  }
  __device__ std::uint64_t lowest(std::uint64_t key) const {
    __shared__ std::uint64_t part[kWarpSize];
    key = WarpTeam().lowest(key);
    __syncthreads();
    if (rank() % kWarpSize == 0) {
      part[rank() / kWarpSize] = key;
    }
    __syncthreads();
    for (int warp = 0; warp < size() / kWarpSize; ++warp) {
      key = part[warp] < key ? part[warp] : key;
    }
    return key;
  }
};

}  // namespace btc::cuda
