#pragma once
/// The alternating fit of second order, entry by entry. What a row's few salient entries leave
/// after the first plane can be rounding alone, and its sign decides the second plane: only sums in
/// the reference's order lead to the reference's scales. One thread has one row and salient group.

#include <cstddef>
#include <cstdint>

#include "cuda/arb/fit_panel.hpp"

namespace btc::cuda {

/// Scales of row i in salient group s. @param x, planes the thread's first of K elements each,
/// `kTileRows` apart
BTC_HD inline void fit_salient(const AlternatingTask& task, std::size_t i, std::size_t s, float* x,
                               std::uint8_t* planes) {
  GroupEntries entries{x, planes, nullptr, 0};
  take_entries(
      task, i, salient_code(s), 0U, static_cast<unsigned>(task.salient_columns), 1U,
      [&](unsigned r) { return task.salient[r]; },
      [&](float value) {
        entries.x[entries.count * kTileRows] = value;
        entries.sign_bits(entries.count) = 0;
        ++entries.count;
      });
  store_scales(task, i, task.groups + s, fit_alternating<2>(entries, task.iterations));
}

}  // namespace btc::cuda
