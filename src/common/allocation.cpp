#include "common/allocation.hpp"

#include <malloc.h>

namespace btc {

void keep_freed_memory() {
  constexpr int kLargestKept = 32 << 20;  // glibc takes no more
  constexpr int kKept = 1 << 30;
  mallopt(M_MMAP_THRESHOLD, kLargestKept);
  mallopt(M_TRIM_THRESHOLD, kKept);
}

}  // namespace btc
