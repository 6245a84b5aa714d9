#pragma once
/// Decisions about one entry of a panel while its signs are chosen, by `backend/entry.hpp`.

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <span>

#include "backend/backend.hpp"
#include "backend/entry.hpp"
#include "cuda/host_device.hpp"

namespace btc::cuda {

/// What `ArbSession::encode` is asked, where the kernel reads it.
struct EncodeProblem {
  MatrixView<const float> u;             ///< [k, k], the panel's rows and columns of U
  MatrixView<const std::uint8_t> given;  ///< [n, k], groups; salient codes hold for any grouping
  std::span<const std::uint32_t> rank;   ///< [k], of the salient columns among themselves
  PanelScalesView scales;
  MatrixView<const float> thresholds;  ///< [n, G-1]
  std::size_t groups = 1;              ///< G
  std::size_t chunk = 1;
  Grouping grouping = Grouping::kGiven;
  bool sequential = false;
  std::span<const Pattern> codewords;     ///< [c], empty: free signs
  int vector_length = 0;                  ///< v
  std::span<const std::uint32_t> labels;  ///< [2^v] nearest codeword; empty: search by flip costs
};

/// The entry in row `row` and column `j` of the panel, with the weight it has now.
struct EncodeEntry {
  const EncodeProblem& p;
  std::size_t row;
  std::size_t j;
  float w;

  /// 1 / U_jj^2.
  [[nodiscard]] BTC_HD float importance() const { return 1.0F / (p.u(j, j) * p.u(j, j)); }
  [[nodiscard]] BTC_HD EntryScale entry(std::size_t g) const {
    return entry_scale(p.scales, row, g, j, p.u.cols());
  }
  [[nodiscard]] BTC_HD SalientScale salient(std::uint8_t g) const {
    return salient_scale(p.scales, row, salient_group(g), p.rank[j]);
  }

  /// Whether the entry may change its group with its sign.
  [[nodiscard]] BTC_HD bool regroups() const {
    return !is_salient(p.given(row, j)) && p.grouping != Grouping::kGiven;
  }

  [[nodiscard]] BTC_HD std::uint8_t group() const {
    if (!regroups()) {
      return p.given(row, j);
    }
    return p.grouping == Grouping::kThresholds ? thresholds_below() : nearest_own_group();
  }

  /// The group whose value of this sign is nearest.
  [[nodiscard]] BTC_HD std::uint8_t nearest_group(bool sign) const {
    std::uint8_t best = 0;
    float least = entry_distance(w, entry(0), sign);
    for (std::size_t g = 1; g < p.groups; ++g) {
      const float distance = entry_distance(w, entry(g), sign);
      best = distance < least ? static_cast<std::uint8_t>(g) : best;
      least = distance < least ? distance : least;
    }
    return best;
  }

  [[nodiscard]] BTC_HD bool own_sign(std::uint8_t g) const {
    return is_salient(g) ? salient_sign(w, salient(g)) : entry_sign(w, entry(g));
  }

  /// @param own `own_sign(g)`
  [[nodiscard]] BTC_HD float flip_cost(std::uint8_t g, bool own) const {
    if (is_salient(g)) {
      return salient_flip_cost(w, salient(g), importance());
    }
    if (!regroups()) {
      return entry_flip_cost(w, entry(g), importance());
    }
    return distance_cost(entry_distance(w, entry(g), own),
                         entry_distance(w, entry(nearest_group(!own)), !own), importance());
  }

 private:
  [[nodiscard]] BTC_HD std::uint8_t thresholds_below() const {
    std::uint8_t g = 0;
    for (std::size_t t = 0; t < p.thresholds.cols(); ++t) {
      g = static_cast<std::uint8_t>(g + (p.thresholds(row, t) <= std::fabs(w) ? 1 : 0));
    }
    return g;
  }

  /// Each group with the sign that the entry prefers in it.
  [[nodiscard]] BTC_HD std::uint8_t nearest_own_group() const {
    std::uint8_t best = 0;
    float least = entry_distance(w, entry(0), entry_sign(w, entry(0)));
    for (std::size_t g = 1; g < p.groups; ++g) {
      const EntryScale scale = entry(g);
      const float distance = entry_distance(w, scale, entry_sign(w, scale));
      best = distance < least ? static_cast<std::uint8_t>(g) : best;
      least = distance < least ? distance : least;
    }
    return best;
  }
};

}  // namespace btc::cuda
