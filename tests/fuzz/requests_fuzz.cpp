/// Any bytes as a requests.h5.

#include "eval/request_file.hpp"
#include "fuzz_input.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const btc::fuzz::InputFile input(data, size);
  btc::fuzz::read_or_refuse([&] { static_cast<void>(btc::read_requests(input.path(), 1000, "")); });
  return 0;
}
