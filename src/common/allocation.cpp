#include "common/allocation.hpp"

#include <malloc.h>
#include <sys/mman.h>

#include <cstdint>

namespace btc {

void keep_freed_memory() {
  constexpr int kLargestKept = 32 << 20;  // glibc takes no more
  constexpr int kKept = 1 << 30;
  mallopt(M_MMAP_THRESHOLD, kLargestKept);
  mallopt(M_TRIM_THRESHOLD, kKept);
}

void prefer_large_pages(void* data, std::size_t bytes) {
  constexpr std::uintptr_t kLargePage = std::uintptr_t{2} << 20U;
  const auto address = reinterpret_cast<std::uintptr_t>(data);
  const std::uintptr_t begin = (address + kLargePage - 1) / kLargePage * kLargePage;
  const std::uintptr_t end = (address + bytes) / kLargePage * kLargePage;
  if (begin < end) {
    ::madvise(static_cast<std::byte*>(data) + (begin - address), end - begin, MADV_HUGEPAGE);
  }
}

}  // namespace btc
