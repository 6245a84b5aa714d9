/// Rates of the matrix instructions of a warpgroup (compute capability 9.0 only): A in registers, B
/// in shared memory.

#include <cstdint>

#include "bench/cuda/probe/tile.cuh"

namespace btc::probe {
namespace {

constexpr int kRows = 64;
constexpr int kThreads = 128;  // one warpgroup
constexpr int kBlocksPerMultiprocessor = 4;
constexpr int kTogether = 8;  // instructions of a group

struct B1Narrow : AndPopc {
  static constexpr const char* kName = "b1 m64n8k256 and.popc";
  static constexpr int kCols = 8;
  static __device__ void mma(Sum (&d)[4], const std::uint32_t (&a)[4], std::uint64_t b) {
    asm volatile(
        "{ .reg .pred p; setp.eq.u32 p, 0, 0; "
        "wgmma.mma_async.sync.aligned.m64n8k256.s32.b1.b1.and.popc "
        "{%0, %1, %2, %3}, "
        "{%4, %5, %6, %7}, %8, p; }"
        : "+r"(d[0]), "+r"(d[1]), "+r"(d[2]), "+r"(d[3])
        : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "l"(b));
  }
};

struct B1Wide : AndPopc {
  static constexpr const char* kName = "b1 m64n64k256 and.popc";
  static constexpr int kCols = 64;
  static __device__ void mma(Sum (&d)[32], const std::uint32_t (&a)[4], std::uint64_t b) {
    asm volatile(
        "{ .reg .pred p; setp.eq.u32 p, 0, 0; "
        "wgmma.mma_async.sync.aligned.m64n64k256.s32.b1.b1.and.popc "
        "{%0, %1, %2, %3, %4, %5, %6, %7, %8, %9, %10, %11, %12, %13, %14, %15, "
        "%16, %17, %18, %19, %20, %21, %22, %23, %24, %25, %26, %27, %28, %29, %30, %31}, "
        "{%32, %33, %34, %35}, %36, p; }"
        : "+r"(d[0]), "+r"(d[1]), "+r"(d[2]), "+r"(d[3]), "+r"(d[4]), "+r"(d[5]), "+r"(d[6]),
          "+r"(d[7]), "+r"(d[8]), "+r"(d[9]), "+r"(d[10]), "+r"(d[11]), "+r"(d[12]), "+r"(d[13]),
          "+r"(d[14]), "+r"(d[15]), "+r"(d[16]), "+r"(d[17]), "+r"(d[18]), "+r"(d[19]), "+r"(d[20]),
          "+r"(d[21]), "+r"(d[22]), "+r"(d[23]), "+r"(d[24]), "+r"(d[25]), "+r"(d[26]), "+r"(d[27]),
          "+r"(d[28]), "+r"(d[29]), "+r"(d[30]), "+r"(d[31])
        : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "l"(b));
  }
};

struct Int8Narrow : Int8Dot {
  static constexpr const char* kName = "s8 m64n8k32";
  static constexpr int kCols = 8;
  static __device__ void mma(Sum (&d)[4], const std::uint32_t (&a)[4], std::uint64_t b) {
    asm volatile(
        "{ .reg .pred p; setp.eq.u32 p, 0, 0; "
        "wgmma.mma_async.sync.aligned.m64n8k32.s32.s8.s8 "
        "{%0, %1, %2, %3}, "
        "{%4, %5, %6, %7}, %8, p; }"
        : "+r"(d[0]), "+r"(d[1]), "+r"(d[2]), "+r"(d[3])
        : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "l"(b));
  }
};

struct Int8Wide : Int8Dot {
  static constexpr const char* kName = "s8 m64n64k32";
  static constexpr int kCols = 64;
  static __device__ void mma(Sum (&d)[32], const std::uint32_t (&a)[4], std::uint64_t b) {
    asm volatile(
        "{ .reg .pred p; setp.eq.u32 p, 0, 0; "
        "wgmma.mma_async.sync.aligned.m64n64k32.s32.s8.s8 "
        "{%0, %1, %2, %3, %4, %5, %6, %7, %8, %9, %10, %11, %12, %13, %14, %15, "
        "%16, %17, %18, %19, %20, %21, %22, %23, %24, %25, %26, %27, %28, %29, %30, %31}, "
        "{%32, %33, %34, %35}, %36, p; }"
        : "+r"(d[0]), "+r"(d[1]), "+r"(d[2]), "+r"(d[3]), "+r"(d[4]), "+r"(d[5]), "+r"(d[6]),
          "+r"(d[7]), "+r"(d[8]), "+r"(d[9]), "+r"(d[10]), "+r"(d[11]), "+r"(d[12]), "+r"(d[13]),
          "+r"(d[14]), "+r"(d[15]), "+r"(d[16]), "+r"(d[17]), "+r"(d[18]), "+r"(d[19]), "+r"(d[20]),
          "+r"(d[21]), "+r"(d[22]), "+r"(d[23]), "+r"(d[24]), "+r"(d[25]), "+r"(d[26]), "+r"(d[27]),
          "+r"(d[28]), "+r"(d[29]), "+r"(d[30]), "+r"(d[31])
        : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "l"(b));
  }
};

struct Fp16Narrow : Fp16Dot {
  static constexpr const char* kName = "f16 m64n8k16, f32 sums";
  static constexpr int kCols = 8;
  static __device__ void mma(Sum (&d)[4], const std::uint32_t (&a)[4], std::uint64_t b) {
    asm volatile(
        "{ .reg .pred p; setp.eq.u32 p, 0, 0; "
        "wgmma.mma_async.sync.aligned.m64n8k16.f32.f16.f16 "
        "{%0, %1, %2, %3}, "
        "{%4, %5, %6, %7}, %8, p, 1, 1, 0; }"
        : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
        : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "l"(b));
  }
};

struct Fp16Wide : Fp16Dot {
  static constexpr const char* kName = "f16 m64n64k16, f32 sums";
  static constexpr int kCols = 64;
  static __device__ void mma(Sum (&d)[32], const std::uint32_t (&a)[4], std::uint64_t b) {
    asm volatile(
        "{ .reg .pred p; setp.eq.u32 p, 0, 0; "
        "wgmma.mma_async.sync.aligned.m64n64k16.f32.f16.f16 "
        "{%0, %1, %2, %3, %4, %5, %6, %7, %8, %9, %10, %11, %12, %13, %14, %15, "
        "%16, %17, %18, %19, %20, %21, %22, %23, %24, %25, %26, %27, %28, %29, %30, %31}, "
        "{%32, %33, %34, %35}, %36, p, 1, 1, 0; }"
        : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3]), "+f"(d[4]), "+f"(d[5]), "+f"(d[6]),
          "+f"(d[7]), "+f"(d[8]), "+f"(d[9]), "+f"(d[10]), "+f"(d[11]), "+f"(d[12]), "+f"(d[13]),
          "+f"(d[14]), "+f"(d[15]), "+f"(d[16]), "+f"(d[17]), "+f"(d[18]), "+f"(d[19]), "+f"(d[20]),
          "+f"(d[21]), "+f"(d[22]), "+f"(d[23]), "+f"(d[24]), "+f"(d[25]), "+f"(d[26]), "+f"(d[27]),
          "+f"(d[28]), "+f"(d[29]), "+f"(d[30]), "+f"(d[31])
        : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "l"(b));
  }
};

/// A [64][8 words] in registers: each warp has 16 rows, as for mma.sync.
__device__ void load_a(const std::uint32_t* words, std::uint32_t (&a)[4]) {
  const unsigned row = threadIdx.x / 32 * 16 + threadIdx.x % 32 / 4;
  const unsigned word = threadIdx.x % 4;
  a[0] = words[row * kTileWords + word];
  a[1] = words[(row + 8) * kTileWords + word];
  a[2] = words[row * kTileWords + word + 4];
  a[3] = words[(row + 8) * kTileWords + word + 4];
}

/// Puts B [cols][8 words] where the instruction wants it, in pieces of 8 columns x 16 bytes, and
/// describes it: the two pieces along k are 128 bytes apart, those along the columns 256.
template <int kCols>
__device__ std::uint64_t load_b(const std::uint32_t* words, std::uint32_t* tile) {
  for (unsigned i = threadIdx.x; i < kCols * kTileWords; i += kThreads) {
    const unsigned col = i / kTileWords;
    const unsigned word = i % kTileWords;
    tile[col / 8 * 64 + word / 4 * 32 + col % 8 * 4 + word % 4] = words[i];
  }
  asm volatile("fence.proxy.async.shared::cta;" ::: "memory");
  __syncthreads();
  const auto address = static_cast<std::uint64_t>(__cvta_generic_to_shared(tile));
  constexpr std::uint64_t kAlongDepth = 128 / 16;
  constexpr std::uint64_t kAlongCols = 256 / 16;
  return ((address & 0x3ffffU) >> 4U) | (kAlongDepth << 16U) | (kAlongCols << 32U);
}

/// One warpgroup in a block. @param out one value of each thread, or, for one loop of one
/// instruction (`kWhole`), the tile [64][cols]
template <typename Op, bool kWhole>
__global__ void __launch_bounds__(kThreads, kBlocksPerMultiprocessor)
    many_tiles(const std::uint32_t* a_words, const std::uint32_t* b_words, int loops,
               typename Op::Sum* out) {
  __shared__ alignas(128) std::uint32_t tile[Op::kCols * kTileWords];
  std::uint32_t a[4];
  load_a(a_words, a);
  const std::uint64_t b = load_b<Op::kCols>(b_words, tile);
  typename Op::Sum d[Op::kCols / 2] = {};
  for (int loop = 0; loop < loops; ++loop) {
    asm volatile("wgmma.fence.sync.aligned;" ::: "memory");
#pragma unroll
    for (int i = 0; i < (kWhole ? 1 : kTogether); ++i) {
      Op::mma(d, a, b);
    }
    asm volatile("wgmma.commit_group.sync.aligned;" ::: "memory");
    asm volatile("wgmma.wait_group.sync.aligned 0;" ::: "memory");
  }
  if constexpr (kWhole) {
    const unsigned row = threadIdx.x / 32 * 16 + threadIdx.x % 32 / 4;
#pragma unroll
    for (unsigned i = 0; i < Op::kCols / 2; ++i) {
      const unsigned col = i / 4 * 8 + threadIdx.x % 4 * 2 + i % 2;
      out[(row + i % 4 / 2 * 8) * Op::kCols + col] = d[i];
    }
  } else {
    typename Op::Sum sum = 0;
#pragma unroll
    for (const auto value : d) {
      sum += value;
    }
    out[std::size_t{blockIdx.x} * kThreads + threadIdx.x] = sum;
  }
}

template <typename Op>
void print_rate(const Device& device) {
  const Memory<std::uint32_t> a(random_words<Op>(kRows * kTileWords, 1));
  const Memory<std::uint32_t> b(random_words<Op>(Op::kCols * kTileWords, 2));
  const Memory<typename Op::Sum> tile(kRows * Op::kCols);
  many_tiles<Op, true><<<1, kThreads, 0, device.stream>>>(a.data(), b.data(), 1, tile.data());
  PROBE_CUDA(cudaGetLastError());
  check_tile<Op>(tile.values(0, tile.size()), a.values(0, a.size()), b.values(0, b.size()));
  const auto blocks = static_cast<unsigned>(device.multiprocessors * kBlocksPerMultiprocessor);
  const Memory<typename Op::Sum> out(std::size_t{blocks} * kThreads);
  const auto run = [&](int loops) {
    many_tiles<Op, false>
        <<<blocks, kThreads, 0, device.stream>>>(a.data(), b.data(), loops, out.data());
  };
  const int loops = loops_for_measurement(device, run);
  const double ms = median_milliseconds(device, [&] { run(loops); });
  const double instructions = static_cast<double>(blocks) * kTogether * loops;
  const double operations = instructions * 2.0 * kRows * Op::kCols * Op::kDepth;
  std::printf("| %s | %.1f | %.2f | %.2f |\n", Op::kName, operations / ms * 1e-9,
              instructions / ms * 1e-6, ms);
}

}  // namespace

void print_wgmma_rates(const Device& device) {
  if (device.capability != 90) {
    std::printf("wgmma: skipped, the device has not compute capability 9.0\n\n");
    return;
  }
  std::printf(
      "| wgmma, A in registers, B in shared memory | Tera-ops/s | G instructions/s | ms |\n");
  std::printf("|---|---|---|---|\n");
  print_rate<B1Narrow>(device);
  print_rate<B1Wide>(device);
  print_rate<Int8Narrow>(device);
  print_rate<Int8Wide>(device);
  print_rate<Fp16Narrow>(device);
  print_rate<Fp16Wide>(device);
  std::printf("\n");
}

}  // namespace btc::probe
