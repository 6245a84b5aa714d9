/// Any bytes as a safetensors file: refused, or every tensor can be read to its last element.

#include "fuzz_input.hpp"
#include "io/safetensors.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const btc::fuzz::InputFile input(data, size);
  btc::fuzz::read_or_refuse([&] {
    const auto file = btc::SafetensorsFile::open(input.path());
    for (const btc::TensorView& tensor : file.tensors()) {
      btc::fuzz::read_or_refuse([&] { static_cast<void>(btc::to_float(tensor)); });
    }
  });
  return 0;
}
