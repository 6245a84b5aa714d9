#pragma once
/// Values of many entries of a row at once.

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

#include "backend/entry.hpp"

namespace btc {

/// What a row's entries decode to, by the code of their group. That of salient entries stays 0:
/// their columns are decoded by themselves.
class RowValues {
 public:
  void set(std::size_t group, const EntryScale& scale) {
    scale_[group] = scale;
    value_[2 * group] = entry_value(scale, false);
    value_[2 * group + 1] = entry_value(scale, true);
  }
  [[nodiscard]] float value(std::uint8_t group, unsigned sign) const {
    return value_[2 * std::size_t{group} + sign];
  }
  [[nodiscard]] const EntryScale& scale(std::uint8_t group) const { return scale_[group]; }

 private:
  std::array<EntryScale, 256> scale_{};
  std::array<float, 512> value_{};
};

/// Entries [first, first + N) of a row.
struct RowEntries {
  std::size_t first = 0;                ///< column in `signs`
  std::span<const std::uint8_t> group;  ///< [N]
  std::span<const std::uint8_t> signs;  ///< the row's bytes, as `BitMatrix` keeps them
  std::span<const float> column_scale;  ///< [N], or rows of one for each group; empty: all 1
  std::size_t column_scale_stride = 0;  ///< from one group's row to the next; 0: shared

  [[nodiscard]] unsigned sign(std::size_t j) const {
    return (unsigned{signs[(first + j) / 8]} >> ((first + j) % 8)) & 1U;
  }
};

/// Writes the value of each entry to `q` [N]; 0 in salient columns. Signs are as good as random, so
/// that a table is several times as fast as a branch.
inline void decode_entries(const RowValues& values, const RowEntries& entries, std::span<float> q) {
  if (entries.column_scale.empty()) {
    for (std::size_t j = 0; j < q.size(); ++j) {
      q[j] = values.value(entries.group[j], entries.sign(j));
    }
    return;
  }
  for (std::size_t j = 0; j < q.size(); ++j) {
    const std::uint8_t g = entries.group[j];
    EntryScale scale = values.scale(g);
    if (!is_salient(g)) {
      scale.alpha *= entries.column_scale[g * entries.column_scale_stride + j];
    }
    const std::array<float, 2> both = {entry_value(scale, false), entry_value(scale, true)};
    q[j] = both[entries.sign(j)];
  }
}

}  // namespace btc
