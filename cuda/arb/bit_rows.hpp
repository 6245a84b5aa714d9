#pragma once
/// The bytes of a `BitMatrix` where a kernel reads or writes them.

#include <cstddef>
#include <cstdint>

#include "common/pattern.hpp"
#include "cuda/host_device.hpp"

namespace btc::cuda {

/// Borrowed rows of bits. Bit j of a row is bit j mod 8 of the row's byte j / 8.
template <typename Byte>
struct BitRows {
  Byte* bytes = nullptr;
  std::size_t row_bytes = 0;

  [[nodiscard]] BTC_HD bool get(std::size_t i, std::size_t j) const {
    return ((bytes[i * row_bytes + j / 8] >> (j % 8)) & 1) != 0;
  }
  /// +1 or -1.
  [[nodiscard]] BTC_HD double sign(std::size_t i, std::size_t j) const {
    return get(i, j) ? 1.0 : -1.0;
  }
  /// Sets the lowest `count` bits of `pattern` from column `begin` on. Bytes are read and written:
  /// one row has one writer. @pre these bits are 0
  BTC_HD void set(std::size_t i, std::size_t begin, std::size_t count, Pattern pattern) const {
    Byte* const row = bytes + i * row_bytes;
    for (std::size_t done = 0; done < count;) {
      const std::size_t shift = (begin + done) % 8;
      const std::size_t part = 8 - shift < count - done ? 8 - shift : count - done;
      const Pattern bits = (pattern >> done) & ((Pattern{1} << part) - 1U);
      Byte& byte = row[(begin + done) / 8];
      byte = static_cast<Byte>(byte | (bits << shift));
      done += part;
    }
  }
};

}  // namespace btc::cuda
