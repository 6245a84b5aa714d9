/// Encoding with 16 rows side by side in the lanes of a vector. Every element sees the operations
/// of the reference in the reference's order (columns ascending), so signs and indices are equal.
#include <algorithm>
#include <array>
#include <cmath>
#include <limits>

#include "backend/cpu/arb_session.hpp"
#include "backend/entry.hpp"

namespace btc {
namespace {

constexpr std::size_t kLanes = 16;
constexpr std::size_t kStrips = 8;  // lane groups that share a codeword search
constexpr std::size_t kTile = kLanes * kStrips;

struct alignas(64) Lanes {
  std::array<float, kLanes> at{};
  float& operator[](std::size_t l) { return at[l]; }
  float operator[](std::size_t l) const { return at[l]; }
};

/// What all tiles of a call read.
struct Problem {
  Panel panel;
  MatrixView<const float> w;  // [n, m]
  const PanelGroups& groups;
  const PanelScales& scales;
  const EncodeRule& rule;
  Matrix<float> u;                   // [k, k] copy of U_CC
  Matrix<float> u_columns;           // its transpose
  std::vector<float> importance;     // [k]
  Matrix<float> alpha_col;           // [G, k], ones if absent
  std::vector<std::size_t> salient;  // [k], rank among the salient columns, or none
  PanelCode& code;

  static constexpr std::size_t kNone = static_cast<std::size_t>(-1);
  [[nodiscard]] std::size_t width() const { return panel.width(); }
  [[nodiscard]] bool is_salient(std::size_t j) const { return salient[j] != kNone; }
};

Problem make_problem(Panel panel, MatrixView<const float> w, MatrixView<const float> u,
                     const PanelGroups& groups, const PanelScales& scales, const EncodeRule& rule,
                     PanelCode& code) {
  const std::size_t k = panel.width();
  Problem p{panel, w,  groups, scales, rule, Matrix<float>(k, k), Matrix<float>(k, k),
            {},    {}, {},     code};
  for (std::size_t j = 0; j < k; ++j) {
    for (std::size_t l = j; l < k; ++l) {
      p.u(j, l) = u(panel.begin + j, panel.begin + l);
      p.u_columns(l, j) = p.u(j, l);
    }
    p.importance.push_back(1.0F / (p.u(j, j) * p.u(j, j)));
  }
  p.alpha_col = Matrix<float>(scales.alpha.cols(), k, 1.0F);
  for (std::size_t g = 0; g < p.alpha_col.rows() && !scales.alpha_col.empty(); ++g) {
    const std::size_t row = scales.alpha_col.size() == k ? 0 : g;
    std::copy_n(scales.alpha_col.begin() + static_cast<std::ptrdiff_t>(row * k), k,
                p.alpha_col.row(g).begin());
  }
  p.salient.assign(k, Problem::kNone);
  for (std::size_t r = 0; r < groups.salient.size(); ++r) {
    p.salient[groups.salient[r]] = r;
  }
  return p;
}

/// 16 rows while their signs are chosen.
class Strip {
 public:
  Strip(const Problem& p, std::size_t first_row, std::size_t rows)
      : p_(p), first_(first_row), rows_(rows), w_(p.width()), error_(p.width()) {
    for (std::size_t l = 0; l < rows_; ++l) {
      const auto row = p.w.row(first_ + l).subspan(p.panel.begin, p.width());
      for (std::size_t j = 0; j < row.size(); ++j) {
        w_[j][l] = row[j];
      }
    }
    load_scales();
  }

  [[nodiscard]] std::size_t rows() const { return rows_; }

  /// Preferred signs and flip costs of the columns [begin, end).
  void decide(std::size_t begin, std::size_t end, std::span<Pattern> own) {
    std::array<Pattern, kLanes> pattern{};
    for (std::size_t j = begin; j < end; ++j) {
      std::array<std::uint32_t, kLanes> sign{};
      const std::size_t b = j - begin;
      if (p_.is_salient(j)) {
        decide_salient(j, b, sign);
      } else {
        choose_scales(j, b);
        decide_entries(j, b, sign);
      }
      for (std::size_t l = 0; l < kLanes; ++l) {
        pattern[l] |= sign[l] << b;
      }
      store_target(j);
    }
    std::copy_n(pattern.begin(), rows_, own.begin());
  }

  /// Rounded costs [rows, v] of the columns decided last; columns behind the panel cost nothing.
  void round(std::size_t columns, MatrixView<std::int32_t> rounded) const {
    std::array<float, kMaxVectorLength> costs{};
    for (std::size_t l = 0; l < rows_; ++l) {
      for (std::size_t b = 0; b < columns; ++b) {
        costs[b] = cost_[b][l];
      }
      round_costs(std::span(costs).first(rounded.cols()), rounded.row(l));
    }
  }

  /// Stores the signs of the columns [begin, end) and the error they leave there.
  void accept(std::size_t begin, std::size_t end, std::span<const Pattern> chosen,
              std::size_t update_end) {
    for (std::size_t j = begin; j < end; ++j) {
      const std::size_t b = j - begin;
      Lanes q;
      for (std::size_t l = 0; l < rows_; ++l) {
        const bool sign = ((chosen[l] >> b) & 1U) != 0;
        p_.code.signs.set(first_ + l, j, sign);
        q[l] = decode(j, b, l, sign);
      }
      quantized_[b] = q;
    }
    if (p_.rule.compensation != Compensation::kSequential) {
      return;
    }
    for (std::size_t j = begin; j < end; ++j) {
      const float diagonal = p_.u(j, j);
      for (std::size_t l = 0; l < kLanes; ++l) {
        error_[j][l] = (w_[j][l] - quantized_[j - begin][l]) / diagonal;
      }
      for (std::size_t later = j + 1; later < update_end; ++later) {
        const float factor = p_.u(j, later);
        for (std::size_t l = 0; l < kLanes; ++l) {
          w_[later][l] = w_[later][l] - error_[j][l] * factor;
        }
      }
    }
  }

  /// Pushes the errors of the columns [begin, end) to all columns behind them.
  void push(std::size_t begin, std::size_t end) {
    for (std::size_t later = end; later < p_.width(); ++later) {
      const auto factors = p_.u_columns.row(later);
      Lanes sum = w_[later];
      for (std::size_t j = begin; j < end; ++j) {
        for (std::size_t l = 0; l < kLanes; ++l) {
          sum[l] = sum[l] - error_[j][l] * factors[j];
        }
      }
      w_[later] = sum;
    }
  }

 private:
  void load_scales() {
    const PanelScales& s = p_.scales;
    group_alpha_.resize(s.alpha.cols());
    group_mu_.resize(s.alpha.cols());
    thresholds_.resize(p_.rule.group_thresholds.cols());
    for (std::size_t l = 0; l < rows_; ++l) {
      const std::size_t i = first_ + l;
      for (std::size_t g = 0; g < group_alpha_.size(); ++g) {
        group_alpha_[g][l] = s.alpha(i, g);
        group_mu_[g][l] = s.mu.empty() ? 0.0F : s.mu(i, g);
      }
      for (std::size_t t = 0; t < thresholds_.size(); ++t) {
        thresholds_[t][l] = p_.rule.group_thresholds(i, t);
      }
    }
  }

  /// Whether an entry may change its group with its sign.
  [[nodiscard]] bool regroups() const {
    return p_.rule.grouping != Grouping::kGiven && p_.rule.codewords != nullptr;
  }

  /// Of column b of the chunk.
  [[nodiscard]] SalientScale salient_at(std::size_t b, std::size_t l) const {
    return {alpha_[b][l], residual_alpha_[b][l], mu_[b][l]};
  }

  void decide_entries(std::size_t j, std::size_t b, std::array<std::uint32_t, kLanes>& sign) {
    const float h = p_.importance[j];
#pragma omp simd
    for (std::size_t l = 0; l < kLanes; ++l) {
      const EntryScale scale{alpha_[b][l], mu_[b][l]};
      sign[l] = entry_sign(w_[j][l], scale) ? 1U : 0U;
      cost_[b][l] = entry_flip_cost(w_[j][l], scale, h);
      other_value_[b][l] = entry_value(scale, sign[l] == 0U);
    }
    if (!regroups()) {
      return;
    }
    Lanes best;
    best.at.fill(std::numeric_limits<float>::infinity());
    std::array<std::uint32_t, kLanes> group{};
    for (std::size_t g = 0; g < group_alpha_.size(); ++g) {
      const float column = p_.alpha_col(g, j);
#pragma omp simd
      for (std::size_t l = 0; l < kLanes; ++l) {
        const EntryScale scale{group_alpha_[g][l] * column, group_mu_[g][l]};
        const float value = entry_value(scale, sign[l] == 0U);
        const float distance = std::fabs(w_[j][l] - value);
        const bool nearer = distance < best[l];
        best[l] = nearer ? distance : best[l];
        other_value_[b][l] = nearer ? value : other_value_[b][l];
        group[l] = nearer ? static_cast<std::uint32_t>(g) : group[l];
      }
    }
#pragma omp simd
    for (std::size_t l = 0; l < kLanes; ++l) {
      const EntryScale scale{alpha_[b][l], mu_[b][l]};
      cost_[b][l] = distance_cost(entry_distance(w_[j][l], scale, sign[l] != 0U), best[l], h);
      other_group_[b][l] = static_cast<std::uint8_t>(group[l]);
    }
  }

  void decide_salient(std::size_t j, std::size_t b, std::array<std::uint32_t, kLanes>& sign) {
    const float h = p_.importance[j];
    for (std::size_t l = 0; l < rows_; ++l) {
      const std::uint8_t g = p_.groups.group(first_ + l, j);
      const SalientScale scale =
          salient_scale(p_.scales.view(), first_ + l, salient_group(g), p_.salient[j]);
      alpha_[b][l] = scale.alpha;
      residual_alpha_[b][l] = scale.residual;
      mu_[b][l] = scale.mu;
      p_.code.group(first_ + l, j) = g;
    }
#pragma omp simd
    for (std::size_t l = 0; l < kLanes; ++l) {
      sign[l] = salient_sign(w_[j][l], salient_at(b, l)) ? 1U : 0U;
      cost_[b][l] = salient_flip_cost(w_[j][l], salient_at(b, l), h);
    }
  }

  void count_thresholds(std::size_t j, std::array<std::uint32_t, kLanes>& group) const {
    for (const Lanes& threshold : thresholds_) {
#pragma omp simd
      for (std::size_t l = 0; l < kLanes; ++l) {
        group[l] += threshold[l] <= std::fabs(w_[j][l]) ? 1U : 0U;
      }
    }
  }

  void nearest_groups(std::size_t j, std::array<std::uint32_t, kLanes>& group) const {
    Lanes best;
    best.at.fill(std::numeric_limits<float>::infinity());
    for (std::size_t g = 0; g < group_alpha_.size(); ++g) {
      const float column = p_.alpha_col(g, j);
#pragma omp simd
      for (std::size_t l = 0; l < kLanes; ++l) {
        const EntryScale scale{group_alpha_[g][l] * column, group_mu_[g][l]};
        const float distance = entry_distance(w_[j][l], scale, entry_sign(w_[j][l], scale));
        group[l] = distance < best[l] ? static_cast<std::uint32_t>(g) : group[l];
        best[l] = distance < best[l] ? distance : best[l];
      }
    }
  }

  /// Groups of column j and the scales that they mean.
  void choose_scales(std::size_t j, std::size_t b) {
    std::array<std::uint32_t, kLanes> group{};
    switch (p_.rule.grouping) {
      case Grouping::kGiven:
        for (std::size_t l = 0; l < rows_; ++l) {
          group[l] = p_.groups.group(first_ + l, j);
        }
        break;
      case Grouping::kThresholds:
        count_thresholds(j, group);
        break;
      case Grouping::kNearest:
        nearest_groups(j, group);
        break;
    }
    for (std::size_t l = 0; l < rows_; ++l) {
      p_.code.group(first_ + l, j) = static_cast<std::uint8_t>(group[l]);
    }
    Lanes alpha;
    Lanes mu = group_mu_[0];
    for (std::size_t g = 0; g < group_alpha_.size(); ++g) {
      const float column = p_.alpha_col(g, j);
#pragma omp simd
      for (std::size_t l = 0; l < kLanes; ++l) {
        alpha[l] = group[l] == g ? group_alpha_[g][l] * column : alpha[l];
        mu[l] = group[l] == g ? group_mu_[g][l] : mu[l];
      }
    }
    alpha_[b] = alpha;
    mu_[b] = mu;
  }

  void store_target(std::size_t j) {
    for (std::size_t l = 0; p_.rule.keep_target && l < rows_; ++l) {
      p_.code.target(first_ + l, j) = w_[j][l];
    }
  }

  float decode(std::size_t j, std::size_t b, std::size_t l, bool sign) {
    if (!p_.is_salient(j)) {
      const EntryScale own{alpha_[b][l], mu_[b][l]};
      if (sign == entry_sign(w_[j][l], own)) {
        return entry_value(own, sign);
      }
      if (regroups()) {
        p_.code.group(first_ + l, j) = other_group_[b][l];
      }
      return other_value_[b][l];
    }
    const bool residual = salient_residual(w_[j][l], salient_at(b, l), sign);
    p_.code.residual.set(first_ + l, p_.salient[j], residual);
    return salient_value(salient_at(b, l), sign, residual);
  }

  const Problem& p_;
  std::size_t first_;
  std::size_t rows_;
  std::vector<Lanes> w_;      // [k] current weights
  std::vector<Lanes> error_;  // [k] (w - q) / U_jj
  std::vector<Lanes> group_alpha_;
  std::vector<Lanes> group_mu_;
  std::vector<Lanes> thresholds_;
  std::array<Lanes, kMaxVectorLength> alpha_;  // of the chunk being decided
  std::array<Lanes, kMaxVectorLength> mu_;
  std::array<Lanes, kMaxVectorLength> residual_alpha_;  // salient columns only
  std::array<Lanes, kMaxVectorLength> cost_;
  std::array<Lanes, kMaxVectorLength> other_value_;  // with the sign that is not preferred
  std::array<std::array<std::uint8_t, kLanes>, kMaxVectorLength> other_group_{};
  std::array<Lanes, kMaxVectorLength> quantized_;
};

/// Rows [begin, end), chunk by chunk.
class Tile {
 public:
  Tile(const Problem& p, std::size_t begin, std::size_t end)
      : p_(p), first_(begin), own_(end - begin), index_(end - begin) {
    for (std::size_t row = begin; row < end; row += kLanes) {
      strips_.emplace_back(p, row, std::min(kLanes, end - row));
    }
    if (p.rule.codewords != nullptr) {
      costs_ = Matrix<std::int32_t>(end - begin,
                                    static_cast<std::size_t>(p.rule.codewords->vector_length()));
    }
  }

  void run() {
    const std::size_t chunk = p_.rule.chunk;
    // Errors are pushed behind a whole block of chunks at once, while they are in registers.
    const std::size_t block = chunk * std::max<std::size_t>(1, kLanes / chunk);
    for (std::size_t begin = 0; begin < p_.width(); begin += block) {
      const std::size_t end = std::min(begin + block, p_.width());
      for (std::size_t at = begin; at < end; at += chunk) {
        run_chunk(at, std::min(at + chunk, end), end);
      }
      if (p_.rule.compensation == Compensation::kSequential) {
        for (Strip& strip : strips_) {
          strip.push(begin, end);
        }
      }
    }
  }

 private:
  void run_chunk(std::size_t begin, std::size_t end, std::size_t update_end) {
    std::size_t at = 0;
    for (Strip& strip : strips_) {
      strip.decide(begin, end, std::span(own_).subspan(at, strip.rows()));
      at += strip.rows();
    }
    if (p_.rule.codewords != nullptr) {
      look_up(begin, end);
    }
    at = 0;
    for (Strip& strip : strips_) {
      strip.accept(begin, end, std::span(own_).subspan(at, strip.rows()), update_end);
      at += strip.rows();
    }
  }

  /// Own signs become those of the nearest codeword.
  void look_up(std::size_t begin, std::size_t end) {
    const CodewordSearch& search = *p_.rule.codewords;
    const auto v = static_cast<std::size_t>(search.vector_length());
    const auto pad =
        static_cast<Pattern>(((Pattern{1} << (v - (end - begin))) - 1) << (end - begin));
    for (Pattern& own : own_) {
      own |= pad;
    }
    if (p_.rule.assignment == Assignment::kHamming) {
      search.nearest(own_, index_);
    } else {
      std::size_t at = 0;
      for (const Strip& strip : strips_) {
        strip.round(end - begin, costs_.view().sub(at, at + strip.rows(), 0, v));
        at += strip.rows();
      }
      search.nearest_weighted(own_, costs_.view(), index_);
    }
    const auto codewords = search.codewords();
    for (std::size_t i = 0; i < own_.size(); ++i) {
      own_[i] = codewords[index_[i]];
      p_.code.index(first_ + i, begin / v) = index_[i];
    }
  }

  const Problem& p_;
  std::size_t first_;
  std::vector<Strip> strips_;
  std::vector<Pattern> own_;
  std::vector<std::uint32_t> index_;
  Matrix<std::int32_t> costs_;
};

}  // namespace

PanelCode CpuArbSession::encode(Panel panel, const PanelGroups& groups, const PanelScales& scales,
                                const EncodeRule& rule) {
  BTC_CHECK(rule.chunk >= 1 && rule.chunk <= static_cast<std::size_t>(kMaxVectorLength),
            "chunk of ", rule.chunk, " columns");
  PanelCode code;
  code.signs = BitMatrix(w_.rows(), panel.width());
  code.residual = BitMatrix(w_.rows(), groups.salient.size());
  code.group = Matrix<std::uint8_t>(w_.rows(), panel.width());
  if (rule.keep_target) {
    code.target = Matrix<float>(w_.rows(), panel.width());
  }
  if (rule.codewords != nullptr) {
    const auto v = static_cast<std::size_t>(rule.codewords->vector_length());
    BTC_CHECK(rule.chunk == v, "chunk of ", rule.chunk, " columns, codewords of ", v);
    code.index = Matrix<std::uint32_t>(w_.rows(), ceil_div(panel.width(), v));
  }
  const Problem problem = make_problem(panel, w_.view(), u_, groups, scales, rule, code);
  workers_->for_blocks(w_.rows(), kTile, [&](std::size_t begin, std::size_t end) {
    Tile(problem, begin, end).run();
  });
  return code;
}

}  // namespace btc
