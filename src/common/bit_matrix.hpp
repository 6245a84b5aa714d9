#pragma once
/// Matrix of bits, each row padded to whole bytes; bit 1 means +1.

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "common/matrix.hpp"
#include "common/pattern.hpp"

namespace btc {

/// [rows, cols] bits. Bit j of a row is bit j mod 8 of the row's byte j / 8; pad bits are 0.
class BitMatrix {
 public:
  BitMatrix() = default;
  BitMatrix(std::size_t rows, std::size_t cols)
      : rows_(rows), cols_(cols), row_bytes_(ceil_div(cols, 8)), bytes_(rows * row_bytes_, 0) {}

  [[nodiscard]] std::size_t rows() const { return rows_; }
  [[nodiscard]] std::size_t cols() const { return cols_; }
  [[nodiscard]] std::size_t row_bytes() const { return row_bytes_; }
  [[nodiscard]] bool get(std::size_t i, std::size_t j) const {
    return ((bytes_[i * row_bytes_ + j / 8] >> (j % 8)) & 1U) != 0;
  }
  void set(std::size_t i, std::size_t j, bool value) {
    auto& byte = bytes_[i * row_bytes_ + j / 8];
    const auto mask = static_cast<std::uint8_t>(1U << (j % 8));
    byte = static_cast<std::uint8_t>(value ? (byte | mask) : (byte & ~mask));
  }
  /// Bytes of row i.
  [[nodiscard]] std::span<const std::uint8_t> row(std::size_t i) const {
    return std::span(bytes_).subspan(i * row_bytes_, row_bytes_);
  }
  /// +1 or -1.
  [[nodiscard]] float sign(std::size_t i, std::size_t j) const { return get(i, j) ? 1.0F : -1.0F; }
  /// The `length` (<= 24) bits from column `begin`; columns past the end read as 1 (+1).
  [[nodiscard]] Pattern pattern(std::size_t i, std::size_t begin, int length) const;
  /// Writes the bits of `pattern`; columns past the end are dropped.
  void set_pattern(std::size_t i, std::size_t begin, int length, Pattern pattern);
  [[nodiscard]] std::vector<std::uint8_t>& bytes() { return bytes_; }
  [[nodiscard]] const std::vector<std::uint8_t>& bytes() const { return bytes_; }
  bool operator==(const BitMatrix&) const = default;

 private:
  std::size_t rows_ = 0;
  std::size_t cols_ = 0;
  std::size_t row_bytes_ = 0;
  std::vector<std::uint8_t> bytes_;
};

}  // namespace btc
