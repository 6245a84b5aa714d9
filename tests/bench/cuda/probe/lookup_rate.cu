/// Rates of random look-ups in a table of codewords.

#include <cstdint>
#include <numeric>

#include "bench/cuda/probe/probe.cuh"

namespace btc::probe {
namespace {

constexpr unsigned kSmallTable = 7132;   // codewords of 16 signs, 14 KB
constexpr unsigned kLargeTable = 65536;  // codewords of 20 signs, 256 KiB
constexpr int kThreads = 1024;
constexpr int kBlocksPerMultiprocessor = 2;
constexpr int kTogether = 8;  // independent look-ups of a thread in flight

__host__ __device__ inline std::uint32_t next_state(std::uint32_t state) {
  return state * 1664525U + 1013904223U;
}
/// Hashed, or the lanes of a warp would stay an arithmetic progression.
__host__ __device__ inline std::uint32_t first_state(std::uint32_t thread) {
  std::uint32_t x = thread + 0x9e3779b9U;
  x = (x ^ (x >> 16U)) * 0x85ebca6bU;
  x = (x ^ (x >> 13U)) * 0xc2b2ae35U;
  return x ^ (x >> 16U);
}
/// An index below `count` from the high bits of the state.
__host__ __device__ inline std::uint32_t pick(std::uint32_t state, std::uint32_t count) {
  return static_cast<std::uint32_t>((std::uint64_t{state} * count) >> 32U);
}

/// Where a lane finds entry e: copy c has 16 bytes of each line of 128, so that its 4 lanes have 4
/// banks of their own.
template <unsigned kCopies>
__device__ unsigned place(unsigned entry, unsigned lane) {
  if constexpr (kCopies == 1) {
    return entry;
  } else {
    constexpr unsigned kSegment = 64 / kCopies;  // entries of 16 bits in a line, shared out
    return entry / kSegment * 64 + lane % kCopies * kSegment + entry % kSegment;
  }
}
template <unsigned kCopies>
constexpr unsigned shared_entries() {
  constexpr unsigned kSegment = 64 / kCopies;
  return kCopies == 1 ? kSmallTable : (kSmallTable + kSegment - 1) / kSegment * 64;
}

template <unsigned kCopies>
__global__ void __launch_bounds__(kThreads, kBlocksPerMultiprocessor)
    shared_lookups(const std::uint16_t* table, int loops, std::uint32_t* out) {
  extern __shared__ std::uint16_t copies[];
  for (unsigned i = threadIdx.x; i < kSmallTable * kCopies; i += kThreads) {
    copies[place<kCopies>(i / kCopies, i % kCopies)] = table[i / kCopies];
  }
  __syncthreads();
  const std::uint32_t thread = blockIdx.x * kThreads + threadIdx.x;
  std::uint32_t state = first_state(thread);
  std::uint32_t sum = 0;
  for (int loop = 0; loop < loops; ++loop) {
    std::uint32_t found[kTogether];
#pragma unroll
    for (auto& value : found) {
      state = next_state(state);
      value = copies[place<kCopies>(pick(state, kSmallTable), threadIdx.x)];
    }
#pragma unroll
    for (const std::uint32_t value : found) {
      sum += value;
    }
  }
  out[thread] = sum;
}

template <bool kThroughL1>
__global__ void __launch_bounds__(kThreads, kBlocksPerMultiprocessor)
    global_lookups(const std::uint32_t* table, int loops, std::uint32_t* out) {
  const std::uint32_t thread = blockIdx.x * kThreads + threadIdx.x;
  std::uint32_t state = first_state(thread);
  std::uint32_t sum = 0;
  for (int loop = 0; loop < loops; ++loop) {
    std::uint32_t found[kTogether];
#pragma unroll
    for (auto& value : found) {
      state = next_state(state);
      const std::uint32_t* entry = table + pick(state, kLargeTable);
      value = kThroughL1 ? __ldg(entry) : __ldcg(entry);
    }
#pragma unroll
    for (const std::uint32_t value : found) {
      sum += value;
    }
  }
  out[thread] = sum;
}

/// What thread `thread` must have summed up.
template <typename T>
std::uint32_t expected_sum(const std::vector<T>& table, std::uint32_t thread, int loops) {
  std::uint32_t state = first_state(thread);
  std::uint32_t sum = 0;
  for (int i = 0; i < loops * kTogether; ++i) {
    state = next_state(state);
    sum += table[pick(state, static_cast<std::uint32_t>(table.size()))];
  }
  return sum;
}

template <typename T>
std::vector<T> make_table(std::size_t size) {
  std::vector<T> table(size);
  std::uint32_t state = 99;
  for (auto& value : table) {
    state = next_state(state);
    value = static_cast<T>(state >> 7U);
  }
  return table;
}

/// @param start called with blocks, table, loops and output
template <typename T, typename Start>
void print_rate(const Device& device, const char* name, const std::vector<T>& table, Start start) {
  const auto blocks = static_cast<unsigned>(device.multiprocessors * kBlocksPerMultiprocessor);
  const Memory<T> on_device(table);
  Memory<std::uint32_t> out(std::size_t{blocks} * kThreads);
  const auto run = [&](int loops) { start(blocks, on_device.data(), loops, out.data()); };
  const int loops = loops_for_measurement(device, run);
  const double ms = median_milliseconds(device, [&] { run(loops); });
  const std::uint32_t last = blocks * kThreads - 1;
  require(out.values(0, 1)[0] == expected_sum(table, 0, loops), name);
  require(out.values(last, 1)[0] == expected_sum(table, last, loops), name);
  const double lookups = static_cast<double>(out.size()) * loops * kTogether;
  std::printf("| %s | %.0f | %.2f |\n", name, lookups / ms * 1e-6, ms);
}

template <unsigned kCopies>
void print_shared_rate(const Device& device, const char* name) {
  constexpr std::size_t kBytes = shared_entries<kCopies>() * sizeof(std::uint16_t);
  PROBE_CUDA(cudaFuncSetAttribute(shared_lookups<kCopies>,
                                  cudaFuncAttributeMaxDynamicSharedMemorySize,
                                  static_cast<int>(kBytes)));
  PROBE_CUDA(cudaFuncSetAttribute(shared_lookups<kCopies>,
                                  cudaFuncAttributePreferredSharedMemoryCarveout,
                                  cudaSharedmemCarveoutMaxShared));
  print_rate(device, name, make_table<std::uint16_t>(kSmallTable),
             [&](unsigned blocks, const std::uint16_t* table, int loops, std::uint32_t* out) {
               shared_lookups<kCopies>
                   <<<blocks, kThreads, kBytes, device.stream>>>(table, loops, out);
             });
}

template <bool kThroughL1>
void print_global_rate(const Device& device, const char* name) {
  print_rate(device, name, make_table<std::uint32_t>(kLargeTable),
             [&](unsigned blocks, const std::uint32_t* table, int loops, std::uint32_t* out) {
               global_lookups<kThroughL1>
                   <<<blocks, kThreads, 0, device.stream>>>(table, loops, out);
             });
}

}  // namespace

void print_lookup_rates(const Device& device) {
  std::printf("| random look-ups | G/s | ms |\n|---|---|---|\n");
  print_shared_rate<1>(device, "16 bit, shared memory, 7132 entries, 1 copy");
  print_shared_rate<4>(device, "16 bit, shared memory, 7132 entries, 4 copies");
  print_shared_rate<8>(device, "16 bit, shared memory, 7132 entries, 8 copies");
  print_global_rate<true>(device, "32 bit, global memory through L1, 65536 entries");
  print_global_rate<false>(device, "32 bit, global memory from L2, 65536 entries");
  std::printf("\n");
}

}  // namespace btc::probe
