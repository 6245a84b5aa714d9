#pragma once
/// A panel's fit put together from fits of its rows and groups (as `backend/fit_groups`).

#include "cuda/arb/fit.hpp"

namespace btc::cuda {

/// Input, memory and results of a panel's fit, all on the device. "Tiled" is the order of
/// `tile_index`.
struct FitTask {
  std::size_t rows = 0;
  std::size_t width = 0;
  std::size_t groups = 0;          ///< G
  std::size_t salient_groups = 0;  ///< g; 0 without salient columns
  FitRule rule = FitRule::kArb;
  FitSolver solver = FitSolver::kIterative;
  int iterations = 0;
  MatrixView<const float> gram;          ///< [k, k], for kArbX
  const float* x = nullptr;              ///< tiled [n, k]
  const std::uint8_t* group = nullptr;   ///< tiled [n, k]
  float* entries = nullptr;              ///< tiled [n, k]: x in the order of its groups
  std::uint8_t* planes = nullptr;        ///< tiled [n, k]: sign bits of the entries
  std::uint32_t* columns = nullptr;      ///< tiled [n, k]: of the entries; null: no own signs
  float* alpha = nullptr;                ///< [n, G]
  float* mu = nullptr;                   ///< [n, G]
  float* salient_alpha = nullptr;        ///< [n, 2g]
  float* salient_mu = nullptr;           ///< [n, g]
  std::uint8_t* entry_planes = nullptr;  ///< [n, k]: sign bits by column; null: no own signs

  /// Groups, then salient groups: their scales take one thread each in every row.
  [[nodiscard]] BTC_HD std::size_t slots() const { return groups + salient_groups; }
};

/// The alternating fit of a panel in its own order, on the device.
struct AlternatingTask {
  std::size_t rows = 0;
  std::size_t width = 0;
  std::size_t groups = 0;           ///< G
  std::size_t salient_groups = 0;   ///< g; 0 without salient columns
  std::size_t salient_columns = 0;  ///< K
  int iterations = 0;
  const float* x = nullptr;                ///< [n, k]
  const std::uint8_t* group = nullptr;     ///< [n, k]
  const std::uint32_t* salient = nullptr;  ///< [K] ascending
  float* alpha = nullptr;                  ///< [n, G]
  float* mu = nullptr;                     ///< [n, G]
  float* salient_alpha = nullptr;          ///< [n, 2g]
  float* salient_mu = nullptr;             ///< [n, g]
};

/// Calls `take(x)` for row i's entries of group `wanted` in the columns `column_of(first)`,
/// `column_of(first + step)`, ... before number `end`. Loads come in batches that do not wait for
/// each other.
template <typename ColumnOf, typename Take>
BTC_HD void take_entries(const AlternatingTask& task, std::size_t i, std::uint8_t wanted,
                         unsigned first, unsigned end, unsigned step, const ColumnOf& column_of,
                         const Take& take) {
  constexpr unsigned kBatch = 8;
  const float* const x = task.x + i * task.width;
  const std::uint8_t* const group = task.group + i * task.width;
  for (; first < end; first += kBatch * step) {
    float value[kBatch];
    bool taken[kBatch];
    for (unsigned b = 0; b < kBatch; ++b) {
      const unsigned at = first + b * step;
      const unsigned j = at < end ? column_of(at) : 0U;
      value[b] = at < end ? x[j] : 0.0F;
      taken[b] = at < end && group[j] == wanted;
    }
    for (unsigned b = 0; b < kBatch; ++b) {
      if (taken[b]) {
        take(value[b]);
      }
    }
  }
}

/// Place of an entry's group among the slots; `slots()` or more if it has none.
BTC_HD inline std::size_t slot_of(const FitTask& task, std::uint8_t group) {
  if (is_salient(group)) {
    const std::size_t s = salient_group(group);
    return s < task.salient_groups ? task.groups + s : task.slots();
  }
  return group < task.groups ? std::size_t{group} : task.slots();
}

/// The entries of a slot, copied behind those of the slots before it.
BTC_HD inline GroupEntries collect_entries(const FitTask& task, std::size_t i, std::size_t slot) {
  std::size_t begin = 0;
  for (std::size_t j = 0; j < task.width; ++j) {
    const std::uint8_t group = task.group[tile_index(i, j, task.width)];
    begin += static_cast<std::size_t>(slot_of(task, group) < slot);
  }
  const std::size_t first = tile_index(i, begin, task.width);
  GroupEntries entries{task.entries + first, task.planes + first,
                       task.columns == nullptr ? nullptr : task.columns + first, 0};
  for (std::size_t j = 0; j < task.width; ++j) {
    const std::size_t at = tile_index(i, j, task.width);
    if (slot_of(task, task.group[at]) != slot) {
      continue;
    }
    const std::size_t to = entries.count++ * kTileRows;
    entries.x[to] = task.x[at];
    entries.planes[to] = 0;
    if (entries.columns != nullptr) {
      entries.columns[to] = static_cast<std::uint32_t>(j);
    }
  }
  return entries;
}

template <int kPlanes>
BTC_HD GroupFit fit_entries(const FitTask& task, const GroupEntries& entries) {
  switch (task.rule) {
    case FitRule::kArb:
      if (kPlanes == 1 && task.solver == FitSolver::kExact) {
        return fit_two_levels(entries);
      }
      return fit_alternating<kPlanes>(entries, task.iterations);
    case FitRule::kPlain:
      return fit_plain<kPlanes>(entries);
    case FitRule::kArbX:
    case FitRule::kArbRc:
      break;
  }
  return fit_in_metric<kPlanes>(entries, task.gram, task.iterations);
}

/// Puts a slot's scales where they belong. @param task a fit's
template <typename Task>
BTC_HD void store_scales(const Task& task, std::size_t i, std::size_t slot, const GroupFit& fit) {
  if (slot < task.groups) {
    task.alpha[i * task.groups + slot] = static_cast<float>(fit.alpha);
    task.mu[i * task.groups + slot] = static_cast<float>(fit.mu);
  } else {
    const std::size_t at = i * task.salient_groups + (slot - task.groups);
    task.salient_alpha[2 * at] = static_cast<float>(fit.alpha);
    task.salient_alpha[2 * at + 1] = static_cast<float>(fit.residual_alpha);
    task.salient_mu[at] = static_cast<float>(fit.mu);
  }
}

/// Scales, and signs if they are kept, of row i in one slot. Not for kArbRc.
BTC_HD inline void fit_slot(const FitTask& task, std::size_t i, std::size_t slot) {
  const GroupEntries entries = collect_entries(task, i, slot);
  store_scales(task, i, slot,
               slot < task.groups ? fit_entries<1>(task, entries) : fit_entries<2>(task, entries));
  for (std::size_t e = 0; e < entries.count && task.entry_planes != nullptr; ++e) {
    task.entry_planes[i * task.width + entries.column(e)] = entries.sign_bits(e);
  }
}

/// Byte `byte` of a row of a BitMatrix: one plane of 8 entries.
/// @param entry_planes sign bits of the row by column
/// @param columns [count] that the BitMatrix has; null: all, in order
BTC_HD inline std::uint8_t packed_plane(const std::uint8_t* entry_planes,
                                        const std::uint32_t* columns, std::size_t count,
                                        std::uint8_t plane, std::size_t byte) {
  unsigned bits = 0;
  for (std::size_t b = 0; b < 8 && 8 * byte + b < count; ++b) {
    const std::size_t at = 8 * byte + b;
    const std::size_t column = columns == nullptr ? at : columns[at];
    bits |= (entry_planes[column] & plane) != 0 ? 1U << b : 0U;
  }
  return static_cast<std::uint8_t>(bits);
}

}  // namespace btc::cuda
