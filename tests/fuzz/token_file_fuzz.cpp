/// Any bytes as a token file.

#include "calibration/tokens.hpp"
#include "fuzz_input.hpp"

namespace btc::fuzz {

void read_input(const std::uint8_t* data, std::size_t size) {
  const InputFile input(data, size);
  read_or_refuse([&] { static_cast<void>(read_token_file(input.path(), 1000)); });
}

}  // namespace btc::fuzz
