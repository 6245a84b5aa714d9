/// Any bytes as a requests.h5.

#include "eval/request_file.hpp"
#include "fuzz_input.hpp"

namespace btc::fuzz {

void read_input(const std::uint8_t* data, std::size_t size) {
  const InputFile input(data, size);
  read_or_refuse([&] { static_cast<void>(read_requests(input.path(), 1000)); });
}

}  // namespace btc::fuzz
