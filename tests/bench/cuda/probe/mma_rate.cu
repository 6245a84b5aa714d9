/// Rates of the warp-wide matrix instructions, with all operands in registers.

#include <cstdint>

#include "bench/cuda/probe/tile.cuh"

namespace btc::probe {
namespace {

constexpr int kRows = 16;
constexpr int kCols = 8;
constexpr int kWords = kTileWords;

struct B1And : AndPopc {
  static constexpr const char* kName = "b1 m16n8k256 and.popc";
  static __device__ void mma(Sum (&d)[4], const std::uint32_t (&a)[4],
                             const std::uint32_t (&b)[2]) {
    asm volatile(
        "mma.sync.aligned.m16n8k256.row.col.s32.b1.b1.s32.and.popc "
        "{%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, {%0,%1,%2,%3};"
        : "+r"(d[0]), "+r"(d[1]), "+r"(d[2]), "+r"(d[3])
        : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
  }
};

struct B1Xor : XorPopc {
  static constexpr const char* kName = "b1 m16n8k256 xor.popc";
  static __device__ void mma(Sum (&d)[4], const std::uint32_t (&a)[4],
                             const std::uint32_t (&b)[2]) {
    asm volatile(
        "mma.sync.aligned.m16n8k256.row.col.s32.b1.b1.s32.xor.popc "
        "{%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, {%0,%1,%2,%3};"
        : "+r"(d[0]), "+r"(d[1]), "+r"(d[2]), "+r"(d[3])
        : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
  }
};

struct Int8 : Int8Dot {
  static constexpr const char* kName = "s8 m16n8k32";
  static __device__ void mma(Sum (&d)[4], const std::uint32_t (&a)[4],
                             const std::uint32_t (&b)[2]) {
    asm volatile(
        "mma.sync.aligned.m16n8k32.row.col.s32.s8.s8.s32 "
        "{%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, {%0,%1,%2,%3};"
        : "+r"(d[0]), "+r"(d[1]), "+r"(d[2]), "+r"(d[3])
        : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
  }
};

struct Fp16 : Fp16Dot {
  static constexpr const char* kName = "f16 m16n8k16, f32 sums";
  static __device__ void mma(Sum (&d)[4], const std::uint32_t (&a)[4],
                             const std::uint32_t (&b)[2]) {
    asm volatile(
        "mma.sync.aligned.m16n8k16.row.col.f32.f16.f16.f32 "
        "{%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, {%0,%1,%2,%3};"
        : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
        : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
  }
};

__device__ void load_a(const std::uint32_t* words, std::uint32_t (&a)[4]) {
  const unsigned row = threadIdx.x % 32 / 4;
  const unsigned word = threadIdx.x % 4;
  a[0] = words[row * kWords + word];
  a[1] = words[(row + 8) * kWords + word];
  a[2] = words[row * kWords + word + 4];
  a[3] = words[(row + 8) * kWords + word + 4];
}

__device__ void load_b(const std::uint32_t* words, std::uint32_t (&b)[2]) {
  const unsigned col = threadIdx.x % 32 / 4;
  const unsigned word = threadIdx.x % 4;
  b[0] = words[col * kWords + word];
  b[1] = words[col * kWords + word + 4];
}

/// One warp: out [16][8] = A B.
template <typename Op>
__global__ void one_tile(const std::uint32_t* a_words, const std::uint32_t* b_words,
                         typename Op::Sum* out) {
  std::uint32_t a[4];
  std::uint32_t b[2];
  load_a(a_words, a);
  load_b(b_words, b);
  typename Op::Sum d[4] = {};
  Op::mma(d, a, b);
  const unsigned row = threadIdx.x / 4;
  const unsigned col = threadIdx.x % 4 * 2;
  out[row * kCols + col] = d[0];
  out[row * kCols + col + 1] = d[1];
  out[(row + 8) * kCols + col] = d[2];
  out[(row + 8) * kCols + col + 1] = d[3];
}

constexpr int kChains = 8;
constexpr int kThreads = 256;
constexpr int kBlocksPerMultiprocessor = 4;

/// Eight independent chains of accumulators in each warp. @param out one value of each thread
template <typename Op>
__global__ void __launch_bounds__(kThreads, kBlocksPerMultiprocessor)
    many_tiles(const std::uint32_t* a_words, const std::uint32_t* b_words, int loops,
               typename Op::Sum* out) {
  std::uint32_t a[2][4];
  std::uint32_t b[2];
  load_a(a_words, a[0]);
  load_a(a_words, a[1]);
  load_b(b_words, b);
  a[1][0] ^= 1U;
  typename Op::Sum d[kChains][4] = {};
  for (int loop = 0; loop < loops; ++loop) {
#pragma unroll
    for (int chain = 0; chain < kChains; ++chain) {
      Op::mma(d[chain], a[chain % 2], b);
    }
  }
  typename Op::Sum sum = 0;
#pragma unroll
  for (int chain = 0; chain < kChains; ++chain) {
    sum += d[chain][0] + d[chain][1] + d[chain][2] + d[chain][3];
  }
  out[std::size_t{blockIdx.x} * kThreads + threadIdx.x] = sum;
}

template <typename Op>
void run_tile(const Device& device, const Memory<std::uint32_t>& a,
              const Memory<std::uint32_t>& b) {
  Memory<typename Op::Sum> out(kRows * kCols);
  one_tile<Op><<<1, 32, 0, device.stream>>>(a.data(), b.data(), out.data());
  PROBE_CUDA(cudaGetLastError());
  check_tile<Op>(out.values(0, out.size()), a.values(0, a.size()), b.values(0, b.size()));
}

template <typename Op>
void print_rate(const Device& device) {
  const Memory<std::uint32_t> a(random_words<Op>(kRows * kWords, 1));
  const Memory<std::uint32_t> b(random_words<Op>(kCols * kWords, 2));
  run_tile<Op>(device, a, b);
  const auto blocks = static_cast<unsigned>(device.multiprocessors * kBlocksPerMultiprocessor);
  Memory<typename Op::Sum> out(std::size_t{blocks} * kThreads);
  const auto run = [&](int loops) {
    many_tiles<Op><<<blocks, kThreads, 0, device.stream>>>(a.data(), b.data(), loops, out.data());
  };
  const int loops = loops_for_measurement(device, run);
  const double ms = median_milliseconds(device, [&] { run(loops); });
  const double instructions = static_cast<double>(blocks) * (kThreads / 32.0) * kChains * loops;
  const double operations = instructions * 2.0 * kRows * kCols * Op::kDepth;
  std::printf("| %s | %.1f | %.2f | %.2f |\n", Op::kName, operations / ms * 1e-9,
              instructions / ms * 1e-6, ms);
}

}  // namespace

void print_mma_rates(const Device& device) {
  std::printf("| mma.sync, operands in registers | Tera-ops/s | G instructions/s | ms |\n");
  std::printf("|---|---|---|---|\n");
  print_rate<B1And>(device);
  print_rate<B1Xor>(device);
  print_rate<Int8>(device);
  print_rate<Fp16>(device);
  std::printf("\n");
}

}  // namespace btc::probe
