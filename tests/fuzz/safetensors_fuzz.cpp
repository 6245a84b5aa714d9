/// Any bytes as a safetensors file: refused, or every tensor can be read to its last element.

#include "fuzz_input.hpp"
#include "io/safetensors.hpp"

namespace btc::fuzz {

void read_input(const std::uint8_t* data, std::size_t size) {
  const InputFile input(data, size);
  read_or_refuse([&] {
    const auto file = SafetensorsFile::open(input.path());
    for (const TensorView& tensor : file.tensors()) {
      read_or_refuse([&] { static_cast<void>(to_float(tensor)); });
    }
  });
}

}  // namespace btc::fuzz
