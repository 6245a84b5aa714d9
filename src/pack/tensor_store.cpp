#include "pack/tensor_store.hpp"

#include <cmath>
#include <cstring>
#include <utility>

#include "common/half.hpp"
#include "common/int8_scales.hpp"
#include "common/matrix.hpp"
#include "pack/bit_stream.hpp"

namespace btc {

std::size_t codebook_bytes(std::size_t count, int vector_length) {
  return ceil_div(count * narrow<std::size_t>(vector_length), 8);
}

void TensorStore::add(std::string name, DType dtype, std::vector<std::int64_t> shape,
                      std::vector<std::uint8_t> bytes) {
  bytes_.push_back(std::move(bytes));
  views_.push_back({std::move(name), dtype, std::move(shape),
                    std::as_bytes(std::span(std::as_const(bytes_.back())))});
}

void TensorStore::add_bytes(std::string name, std::vector<std::int64_t> shape,
                            std::vector<std::uint8_t> bytes) {
  add(std::move(name), DType::kU8, std::move(shape), std::move(bytes));
}

void TensorStore::add_integers(std::string name, std::span<const std::int64_t> values) {
  std::vector<std::uint8_t> bytes(values.size_bytes());
  std::memcpy(bytes.data(), values.data(), bytes.size());
  add(std::move(name), DType::kI64, {narrow<std::int64_t>(values.size())}, std::move(bytes));
}

void TensorStore::add_halves(std::string name, std::vector<std::int64_t> shape,
                             std::span<const float> values) {
  std::vector<std::uint8_t> bytes(values.size() * sizeof(std::uint16_t));
  for (std::size_t i = 0; i < values.size(); ++i) {
    const std::uint16_t half = float_to_fp16(values[i]);
    BTC_CHECK(std::isfinite(values[i]) && fp16_to_float(half) == values[i], name, ": element ", i,
              " is ", values[i], ", not a finite fp16 value");
    std::memcpy(bytes.data() + i * sizeof(half), &half, sizeof(half));
  }
  add(std::move(name), DType::kF16, std::move(shape), std::move(bytes));
}

void TensorStore::add_int8(std::string name, std::vector<std::int64_t> shape,
                           std::span<const float> values) {
  const float unit = int8_unit(values);
  std::vector<std::uint8_t> bytes(values.size());
  for (std::size_t i = 0; i < values.size(); ++i) {
    const float code = values[i] / unit;
    BTC_CHECK(std::fabs(code) <= kMaxInt8Scale && code == std::trunc(code), name, ": element ", i,
              " is ", values[i], ", not an 8-bit multiple of ", unit);
    bytes[i] = static_cast<std::uint8_t>(static_cast<std::int8_t>(code));
  }
  add(std::move(name), DType::kI8, std::move(shape), std::move(bytes));
}

void TensorStore::add_rounded(const TensorView& like, std::span<const float> values) {
  BTC_CHECK(like.element_count() == values.size(), like.name, ": ", values.size(), " values for ",
            like.element_count());
  std::vector<std::uint8_t> bytes(values.size() * size_of(like.dtype));
  if (like.dtype == DType::kF32) {
    std::memcpy(bytes.data(), values.data(), bytes.size());
  } else {
    const bool half = like.dtype == DType::kF16;
    for (std::size_t i = 0; i < values.size(); ++i) {
      const std::uint16_t bits = half ? float_to_fp16(values[i]) : float_to_bf16(values[i]);
      std::memcpy(bytes.data() + i * sizeof(bits), &bits, sizeof(bits));
    }
  }
  add(like.name, like.dtype, like.shape, std::move(bytes));
}

void TensorStore::add_codebooks(const std::string& prefix, std::span<const Codebook> codebooks) {
  BitWriter writer;
  std::vector<std::int64_t> sizes;
  for (const Codebook& codebook : codebooks) {
    const auto length = narrow<std::size_t>(codebook.vector_length);
    for (const Pattern codeword : codebook.codewords) {
      BTC_CHECK((codeword >> length) == 0, prefix, ": codeword ", codeword, " of ", length,
                " signs");
      writer.write(codeword, length);
    }
    writer.pad(false);
    sizes.push_back(narrow<std::int64_t>(codebook.codewords.size()));
  }
  std::vector<std::uint8_t> bytes = writer.take();
  const auto size = narrow<std::int64_t>(bytes.size());
  add_bytes(prefix + ".codebook", {size}, std::move(bytes));
  add_integers(prefix + ".codebook_size", sizes);
}

}  // namespace btc
