#pragma once
/// Signs of a panel under fixed scales, chunk by chunk. A team works on a few rows at once, so that
/// it reads the codewords once for all of them. Every element sees the operations of the reference
/// in the reference's order, so signs, indices, groups and targets are equal.

#include <array>
#include <cstddef>
#include <cstdint>

#include "backend/entry.hpp"
#include "cuda/arb/bit_rows.hpp"
#include "cuda/arb/encode_entry.hpp"
#include "cuda/kmeans/weighted_scan.hpp"

namespace btc::cuda {

/// Rows that a team encodes at once.
inline constexpr std::uint32_t kEncodeRows = kFlipLanes;

/// Where the choices go; as in `PanelCode`.
struct EncodeOutput {
  BitRows<std::uint8_t> signs;     ///< [n, k], zeros on entry
  BitRows<std::uint8_t> residual;  ///< [n, K], zeros on entry
  MatrixView<std::uint32_t> index;
  MatrixView<std::uint8_t> group;
  /// [n, k], on entry the panel's weights. A chunk's columns hold their targets from the moment
  /// they are decided, the later ones the weights that are compensated so far.
  MatrixView<float> target;
};

/// The chunk of columns that a team decides, shared by its members.
struct EncodeChunk {
  template <typename T>
  using Entries = std::array<std::array<T, kMaxVectorLength>, kEncodeRows>;

  Entries<float> w;      ///< current weights
  Entries<float> cost;   ///< of flipping the preferred sign
  Entries<float> q;      ///< values chosen
  Entries<float> error;  ///< (w - q) / U_jj
  Entries<std::uint8_t> group;
  Entries<std::uint8_t> own_sign;
  Entries<std::uint8_t> second;  ///< signs of the second plane
  std::array<float, kEncodeRows> scale;
  std::array<Pattern, kEncodeRows> own;
  std::array<Pattern, kEncodeRows> chosen;
  std::array<FlipCosts, kMaxVectorLength> rounded;
  std::array<std::uint64_t, kEncodeRows> keys;
};

/// A team's work on the rows [first, first + rows).
template <class Team>
class RowsEncoder {
 public:
  using Index = std::uint32_t;  // of what the team holds at once

  BTC_HD RowsEncoder(const Team& team, const EncodeProblem& p, const EncodeOutput& out,
                     std::size_t first, Index rows, EncodeChunk& chunk, FlipCosts* tables)
      : team_(team), p_(p), out_(out), first_(first), rows_(rows), c_(chunk), tables_(tables) {}

  BTC_HD void run() {
    for (begin_ = 0; begin_ < width(); begin_ += p_.chunk) {
      const std::size_t left = width() - begin_;
      count_ = static_cast<Index>(left < p_.chunk ? left : p_.chunk);
      decide();
      team_.sync();
      choose();
      team_.sync();
      accept();
      team_.sync();
      store_residual();
      if (p_.sequential) {
        compensate_chunk();
        compensate_behind();
      }
      team_.sync();
    }
  }

 private:
  [[nodiscard]] BTC_HD std::size_t width() const { return p_.u.cols(); }
  [[nodiscard]] BTC_HD Index member() const { return static_cast<Index>(team_.rank()); }
  [[nodiscard]] BTC_HD Index members() const { return static_cast<Index>(team_.size()); }
  [[nodiscard]] BTC_HD EncodeEntry entry(Index r, Index b) const {
    return {p_, first_ + r, begin_ + b, c_.w[r][b]};
  }

  /// Target, group, preferred sign and flip cost of each entry.
  BTC_HD void decide() {
    for (Index e = member(); e < rows_ * count_; e += members()) {
      const Index r = e / count_;
      const Index b = e % count_;
      c_.w[r][b] = out_.target(first_ + r, begin_ + b);
      const EncodeEntry at = entry(r, b);
      const std::uint8_t g = at.group();
      const bool own = at.own_sign(g);
      c_.group[r][b] = g;
      c_.own_sign[r][b] = own ? 1 : 0;
      if (!p_.codewords.empty() && p_.labels.empty()) {
        c_.cost[r][b] = at.flip_cost(g, own);
      }
    }
  }

  /// Signs of each row: free, or those of the nearest codeword.
  BTC_HD void choose() {
    const bool free = p_.codewords.empty();
    const bool search = !free && p_.labels.empty();
    for (Index r = member(); r < kEncodeRows; r += members()) {
      c_.own[r] = r < rows_ ? own_pattern(r, free ? count_ : vector_length()) : 0;
      if (search) {
        c_.scale[r] = r < rows_ ? cost_scale(largest_cost(r)) : 0.0F;
      } else if (r < rows_) {
        store(r, free ? c_.own[r] : take(r, p_.labels[c_.own[r]]));
      }
    }
    if (search) {
      team_.sync();
      search_codewords();
    }
  }

  [[nodiscard]] BTC_HD Index vector_length() const { return static_cast<Index>(p_.vector_length); }

  /// Preferred signs; columns past the panel's end are +1.
  [[nodiscard]] BTC_HD Pattern own_pattern(Index r, Index length) const {
    Pattern own = 0;
    for (Index b = 0; b < length; ++b) {
      own |= (b < count_ ? Pattern{c_.own_sign[r][b]} : Pattern{1}) << b;
    }
    return own;
  }
  [[nodiscard]] BTC_HD float largest_cost(Index r) const {
    float largest = 0;
    for (Index b = 0; b < count_; ++b) {
      largest = largest < c_.cost[r][b] ? c_.cost[r][b] : largest;
    }
    return largest;
  }

  BTC_HD void search_codewords() {
    for (Index e = member(); e < vector_length() * kEncodeRows; e += members()) {
      const Index r = e % kEncodeRows;
      const Index b = e / kEncodeRows;
      c_.rounded[b].lane[r] = r < rows_ && b < count_ ? round_cost(c_.cost[r][b], c_.scale[r]) : 0;
    }
    build_flip_tables(team_, c_.own.data(), c_.rounded.data(), p_.vector_length, tables_);
    nearest_codewords(team_, p_.codewords, p_.vector_length, tables_, c_.keys.data());
    for (Index r = member(); r < rows_; r += members()) {
      constexpr std::uint64_t kIndex = (std::uint64_t{1} << kFlipIndexBits) - 1;
      store(r, take(r, static_cast<std::uint32_t>(c_.keys[r] & kIndex)));
    }
  }

  [[nodiscard]] BTC_HD Pattern take(Index r, std::uint32_t index) const {
    out_.index(first_ + r, begin_ / vector_length()) = index;
    return p_.codewords[index];
  }
  BTC_HD void store(Index r, Pattern signs) {
    c_.chosen[r] = signs;
    out_.signs.set(first_ + r, begin_, count_, signs);
  }

  /// Groups and values that follow from the signs.
  BTC_HD void accept() {
    for (Index e = member(); e < rows_ * count_; e += members()) {
      const Index r = e / count_;
      const Index b = e % count_;
      const EncodeEntry at = entry(r, b);
      const bool sign = ((c_.chosen[r] >> b) & 1U) != 0;
      std::uint8_t g = c_.group[r][b];
      if (is_salient(g)) {
        const SalientScale scale = at.salient(g);
        const bool second = salient_residual(at.w, scale, sign);
        c_.second[r][b] = second ? 1 : 0;
        c_.q[r][b] = salient_value(scale, sign, second);
      } else {
        if (at.regroups() && sign != (c_.own_sign[r][b] != 0)) {
          g = at.nearest_group(sign);
        }
        c_.q[r][b] = entry_value(at.entry(g), sign);
      }
      out_.group(first_ + r, begin_ + b) = g;
    }
  }

  BTC_HD void store_residual() {
    for (Index r = member(); r < rows_; r += members()) {
      for (Index b = 0; b < count_; ++b) {
        if (is_salient(c_.group[r][b])) {
          out_.residual.set(first_ + r, p_.rank[begin_ + b], 1, c_.second[r][b]);
        }
      }
    }
  }

  /// Errors of the chunk's columns, each pushed to the later ones of the chunk.
  BTC_HD void compensate_chunk() {
    for (Index b = 0; b < count_; ++b) {
      const std::size_t j = begin_ + b;
      const Index left = count_ - b;
      for (Index e = member(); e < rows_ * left; e += members()) {
        const Index r = e / left;
        const Index later = b + e % left;
        const float error = (c_.w[r][b] - c_.q[r][b]) / p_.u(j, j);
        if (later == b) {
          c_.error[r][b] = error;
        } else {
          c_.w[r][later] = c_.w[r][later] - error * p_.u(j, begin_ + later);
        }
      }
      team_.sync();
    }
  }

  /// The same for the columns behind the chunk.
  BTC_HD void compensate_behind() {
    const std::size_t end = begin_ + count_;
    const auto behind = static_cast<Index>(width() - end);
    for (Index e = member(); e < rows_ * behind; e += members()) {
      const Index r = e / behind;
      const std::size_t later = end + e % behind;
      float w = out_.target(first_ + r, later);
      for (Index b = 0; b < count_; ++b) {
        w = w - c_.error[r][b] * p_.u(begin_ + b, later);
      }
      out_.target(first_ + r, later) = w;
    }
  }

  const Team& team_;
  const EncodeProblem& p_;
  const EncodeOutput& out_;
  std::size_t first_;
  Index rows_;
  EncodeChunk& c_;
  FlipCosts* tables_;
  std::size_t begin_ = 0;  // of the chunk
  Index count_ = 0;        // columns of the chunk
};

/// Encodes the rows [first, first + rows) of a panel, 1 <= rows <= kEncodeRows.
/// @param chunk, tables  shared by the team; tables [flip_table_entries(v)], unused unless flip
///                       costs are searched
template <class Team>
BTC_HD void encode_rows(const Team& team, const EncodeProblem& p, const EncodeOutput& out,
                        std::size_t first, std::uint32_t rows, EncodeChunk& chunk,
                        FlipCosts* tables) {
  RowsEncoder<Team>(team, p, out, first, rows, chunk, tables).run();
}

}  // namespace btc::cuda
