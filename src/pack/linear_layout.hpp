#pragma once
/// Shapes and names that writer, reader and prediction of the packed format share.

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "pack/packed_block.hpp"
#include "quant/sign_sets.hpp"

namespace btc {

inline constexpr std::string_view kPackedFormatName = "btc-packed";
inline constexpr std::string_view kPackedVersion = "1.0";

/// Shapes of the tensors of a Linear [n, m] with K salient columns.
struct LinearLayout {
  LinearLayout(std::size_t n, std::size_t m, std::size_t k, const PackedFormat& format);

  std::size_t rows;
  std::size_t cols;
  std::size_t salient;         ///< K
  std::size_t panel;           ///< columns that share scales
  std::size_t panels;          ///< p
  std::size_t groups;          ///< G
  std::size_t row_groups;      ///< those with a scale of their own in each row, G or 1
  std::size_t salient_groups;  ///< g
  std::size_t column_scales;   ///< C, of each column that is not salient
  bool int8_scales;
  std::size_t level_bits;     ///< 0: signs
  std::size_t sub_vectors;    ///< of a row; 0 without codec, or where they are of sets
  std::size_t vector_length;  ///< v; 0 without codec
  SignGroups sets;            ///< of a panel, for masked ones
  std::size_t codebooks;      ///< of the Linear alone: scope block_group has p, or p times the sets
  IndexStream indices;        ///< where sub-vectors are of sets, `per_row` is still 0

  /// Entries of a row that the group map has: of all columns where salient ones have groups too.
  [[nodiscard]] std::size_t map_entries() const {
    return salient_groups > 1 ? cols : cols - salient;
  }
  /// Which codebook set number `set` of a panel is coded with.
  [[nodiscard]] std::size_t codebook_of_set(std::size_t in_panel, std::size_t set) const {
    return codebooks == 1 ? 0 : in_panel * sets.sets() + set;
  }
  /// Which codebook sub-vector s of a row is coded with.
  [[nodiscard]] std::size_t codebook_of(std::size_t s) const {
    return codebooks == 1 ? 0 : s * vector_length / panel;
  }
  [[nodiscard]] std::vector<std::int64_t> sign_shape() const;  ///< [n, ceil(m / 8)]
  /// [rows, ceil(count * bits / 8)], for the levels of a row or the zeros of its panels
  [[nodiscard]] std::vector<std::int64_t> level_shape(std::size_t count) const;
  [[nodiscard]] std::vector<std::int64_t> scale_shape() const;        ///< [n, p, row_groups]
  [[nodiscard]] std::vector<std::int64_t> group_ratio_shape() const;  ///< [G - 1], 8 bits: [G + 1]
  [[nodiscard]] std::vector<std::int64_t> salient_alpha_shape() const;      ///< [n, p, g, 2]
  [[nodiscard]] std::vector<std::int64_t> salient_mu_shape() const;         ///< [n, p, g]
  [[nodiscard]] std::vector<std::int64_t> alpha_col_shape() const;          ///< [C, e]
  [[nodiscard]] std::vector<std::int64_t> salient_alpha_col_shape() const;  ///< [2g, K]
  [[nodiscard]] std::vector<std::int64_t> residual_shape() const;           ///< [n, ceil(K / 8)]
  [[nodiscard]] std::vector<std::int64_t> group_map_shape() const;          ///< dense map; G > 1
};

/// Columns that are not salient, ascending.
std::vector<std::uint32_t> kept_columns(const std::vector<std::uint32_t>& salient,
                                        std::size_t cols);
/// `model.layers.17.btc`, owner of a codebook shared by a block; `model.btc`, by the model.
std::string block_codebook_prefix(int block);
/// `model.layers.17.btc.qkv`, owner of the factors of an input.
std::string transform_prefix(int block, SharedInput input);
inline constexpr const char* kModelCodebookPrefix = "model.btc";

/// `__metadata__` of a packed file. @param block number, or `outer`
std::map<std::string, std::string> packed_metadata(const std::string& block,
                                                   const std::string& fingerprint);

}  // namespace btc
