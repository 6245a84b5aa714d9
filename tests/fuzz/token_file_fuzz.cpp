/// Any bytes as a token file.

#include "calibration/tokens.hpp"
#include "fuzz_input.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const btc::fuzz::InputFile input(data, size);
  btc::fuzz::read_or_refuse([&] { static_cast<void>(btc::read_token_file(input.path(), 1000)); });
  return 0;
}
