/// Where libFuzzer enters a target.

#include "fuzz_input.hpp"

// The name is libFuzzer's.  NOLINTNEXTLINE(readability-identifier-naming)
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  btc::fuzz::read_input(data, size);
  return 0;
}
