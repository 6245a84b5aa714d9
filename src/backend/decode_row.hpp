#pragma once
/// Values of many entries of a row at once.

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

#include "backend/entry.hpp"

namespace btc {

/// Scales of a row's groups, by the code that entries hold. Those of salient entries stay 0: their
/// columns are decoded by themselves.
struct RowScaleTable {
  std::array<EntryScale, 256> of_group{};
};

/// Entries [first, first + N) of a row that lie outside the salient columns.
struct RowEntries {
  std::size_t first = 0;                ///< column in `signs`
  std::span<const std::uint8_t> group;  ///< [N], or empty: all of group 0
  std::span<const std::uint8_t> signs;  ///< the row's bytes, as `BitMatrix` keeps them
  std::span<const float> column_scale;  ///< [N], or rows of one for each group; empty: all 1
  std::size_t column_scale_stride = 0;  ///< from one group's row to the next; 0: shared
};

/// Writes `entry_value` of each entry to `q` [N]; 0 in salient columns.
inline void decode_entries(const RowScaleTable& scales, const RowEntries& entries,
                           std::span<float> q) {
  for (std::size_t j = 0; j < q.size(); ++j) {
    const std::uint8_t g = entries.group.empty() ? std::uint8_t{0} : entries.group[j];
    EntryScale scale = scales.of_group[g];
    if (!entries.column_scale.empty() && !is_salient(g)) {
      scale.alpha *= entries.column_scale[g * entries.column_scale_stride + j];
    }
    const std::size_t bit = entries.first + j;
    q[j] = entry_value(scale, ((entries.signs[bit / 8] >> (bit % 8)) & 1U) != 0);
  }
}

}  // namespace btc
