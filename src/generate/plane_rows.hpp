#pragma once
/// A quantized Linear as bit planes: what stays in memory while a packed model generates.
///
/// A weight takes one bit of sign, ceil(log2 G) bits of group (or the bits of its uniform level),
/// and its share of the fp16 scales. Codeword indices are spelled out as signs once, when loaded:
/// looking a codeword up for every use would cost more than the bit or two that it saves.

#include <cstddef>
#include <cstdint>
#include <vector>

#include "common/bit_matrix.hpp"
#include "generate/row_scratch.hpp"
#include "quant/quantized_linear.hpp"

namespace btc {

/// Rows of bits of several planes, [n, planes, bits]; 16 bits are read from any bit on.
class BitPlanes {
 public:
  BitPlanes() = default;
  BitPlanes(std::size_t rows, std::size_t planes, std::size_t bits);
  /// Sets bit j of plane p of row i where bit p of the code is set. @pre called once for (i, j)
  void set_code(std::size_t i, std::size_t j, std::uint32_t code);
  /// Bits j .. j + 15 of a plane of row i; those behind the last one mean nothing.
  [[nodiscard]] std::uint32_t at(std::size_t i, std::size_t plane, std::size_t j) const {
    return read(row(i, plane), j);
  }
  [[nodiscard]] const std::uint8_t* row(std::size_t i, std::size_t plane) const {
    return bytes_.data() + (i * planes_ + plane) * row_bytes_;
  }
  static std::uint32_t read(const std::uint8_t* row, std::size_t j) {
    std::uint32_t word = 0;
    std::memcpy(&word, row + j / 8, sizeof word);
    return word >> (j % 8);
  }
  [[nodiscard]] std::size_t planes() const { return planes_; }
  [[nodiscard]] std::size_t bytes() const { return bytes_.size(); }

 private:
  std::size_t planes_ = 0;
  std::size_t row_bytes_ = 0;
  std::vector<std::uint8_t> bytes_;
};

class PlaneRows {
 public:
  explicit PlaneRows(const QuantizedLinear& linear);

  [[nodiscard]] std::size_t rows() const { return rows_; }
  [[nodiscard]] std::size_t cols() const { return cols_; }
  [[nodiscard]] std::size_t bytes() const;
  /// Row i [m], bit for bit that of `dequantize`, valid until the scratch is used again.
  [[nodiscard]] const float* row(std::size_t i, RowScratch& scratch) const;

 private:
  /// Where the scales of a kind begin in a row of `scales_`.
  struct Offsets {
    std::size_t mu = 0, salient_alpha = 0, salient_mu = 0, total = 0;
  };
  void store_scales(const QuantizedLinear& linear);
  void store_planes(const QuantizedLinear& linear);
  void store_salient(const QuantizedLinear& linear);
  const float* decode_scales(std::size_t i, RowScratch& scratch) const;
  void decode_panel(std::size_t i, std::size_t b, const float* scales, float* q) const;
  void decode_levels(std::size_t i, std::size_t b, const float* scales, float* q) const;
  void decode_salient(std::size_t i, std::size_t b, const float* scales, float* q) const;

  std::size_t rows_, cols_, panel_, panels_, groups_, salient_groups_;
  int level_bits_;
  bool mean_;
  /// [n, 1 + group planes, m]: signs, then the group's bits, lowest first; or the level's bits
  BitPlanes planes_;
  /// [n, 2 + group planes, K] of the salient columns: both signs, then the salient group's bits
  BitPlanes salient_planes_;
  Offsets offsets_;
  std::vector<std::uint16_t> scales_;  ///< [n, offsets_.total] fp16: alpha, mu, salient ones
  std::vector<std::uint8_t> zeros_;    ///< [n, p], with levels
  std::vector<float> group_ratio_;     ///< [G] or empty
  std::vector<float> alpha_col_;       ///< [C, m] and a lane more, or empty
  std::size_t column_scales_ = 0;      ///< C
  std::vector<float> mu_col_;          ///< [m] and a lane more, or empty
  std::vector<std::uint32_t> salient_columns_;
  std::vector<std::uint32_t> salient_begin_;  ///< [p + 1], rank of the first one of each panel
  std::vector<float> salient_alpha_col_;      ///< [2g, K] and a lane more, or empty
};

}  // namespace btc
