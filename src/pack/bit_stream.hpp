#pragma once
/// Streams of bits: bit t is bit t mod 8 of byte t / 8, fields least significant bit first.

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <utility>
#include <vector>

namespace btc {

/// Appends fields to a growing stream.
class BitWriter {
 public:
  /// The low `width` (<= 32) bits of `value`, which has no others.
  void write(std::uint64_t value, std::size_t width) {
    pending_ |= value << used_;
    used_ += width;
    while (used_ >= 8) {
      bytes_.push_back(static_cast<std::uint8_t>(pending_ & 0xffU));
      pending_ >>= 8U;
      used_ -= 8;
    }
  }
  /// Fills the last byte with zeros or ones.
  void pad(bool ones) {
    if (used_ > 0) {
      const std::size_t width = 8 - used_;
      write(ones ? (1U << width) - 1U : 0U, width);
    }
  }
  [[nodiscard]] std::size_t bytes() const { return bytes_.size(); }
  /// The stream. @pre the last byte is full
  std::vector<std::uint8_t> take() { return std::move(bytes_); }

 private:
  std::vector<std::uint8_t> bytes_;
  std::uint64_t pending_ = 0;
  std::size_t used_ = 0;
};

/// Reads fields; never past the end.
class BitReader {
 public:
  explicit BitReader(std::span<const std::byte> bytes) : bytes_(bytes) {}
  /// In bits.
  [[nodiscard]] std::size_t position() const { return position_; }
  [[nodiscard]] std::size_t remaining() const { return bytes_.size() * 8 - position_; }
  /// The next field. @pre width <= min(32, remaining())
  std::uint64_t read(std::size_t width) {
    std::uint64_t value = 0;
    std::size_t done = 0;
    while (done < width) {
      const std::size_t shift = position_ % 8;
      const std::uint64_t bits = std::to_integer<std::uint64_t>(bytes_[position_ / 8]) >> shift;
      const std::size_t take = std::min<std::size_t>(8 - shift, width - done);
      value |= (bits & ((1U << take) - 1U)) << done;
      done += take;
      position_ += take;
    }
    return value;
  }
  /// Whether all bits that remain have this value.
  [[nodiscard]] bool rest_is(bool ones) const {
    for (std::size_t t = position_; t < bytes_.size() * 8; ++t) {
      if (((std::to_integer<unsigned>(bytes_[t / 8]) >> (t % 8)) & 1U) != (ones ? 1U : 0U)) {
        return false;
      }
    }
    return true;
  }

 private:
  std::span<const std::byte> bytes_;
  std::size_t position_ = 0;
};

}  // namespace btc
