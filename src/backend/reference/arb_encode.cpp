#include <cmath>

#include "backend/entry.hpp"
#include "backend/reference/arb_session.hpp"

namespace btc {
namespace {

/// One row while its signs are chosen.
struct RowEncoder {
  std::size_t row;
  Panel panel;
  MatrixView<const float> u;
  const PanelGroups& groups;
  const PanelScales& scales;
  const EncodeRule& rule;
  std::vector<float> w;               // current weights of the row in the panel
  std::vector<std::size_t> residual;  // rank of each salient column

  [[nodiscard]] float u_at(std::size_t l, std::size_t j) const {
    return u(panel.begin + l, panel.begin + j);
  }
  [[nodiscard]] float importance(std::size_t j) const { return 1.0F / (u_at(j, j) * u_at(j, j)); }
  [[nodiscard]] EntryScale entry(std::size_t g, std::size_t j) const {
    return entry_scale(scales.view(), row, g, j, panel.width());
  }
  [[nodiscard]] SalientScale salient(std::size_t j, std::uint8_t g) const {
    return salient_scale(scales.view(), row, salient_group(g), residual[j]);
  }

  [[nodiscard]] bool regroups(std::size_t j) const {
    return !is_salient(groups.group(row, j)) && rule.grouping != Grouping::kGiven;
  }

  [[nodiscard]] std::uint8_t group_of(std::size_t j) const {
    if (!regroups(j)) {
      return groups.group(row, j);
    }
    std::uint8_t g = 0;
    if (rule.grouping == Grouping::kThresholds) {
      for (const float threshold : rule.group_thresholds.row(row)) {
        g = static_cast<std::uint8_t>(g + (threshold <= std::fabs(w[j]) ? 1 : 0));
      }
      return g;
    }
    const auto distance = [&](std::uint8_t group) {
      return entry_distance(w[j], entry(group, j), entry_sign(w[j], entry(group, j)));
    };
    for (std::uint8_t other = 1; other < groups.count; ++other) {
      g = distance(other) < distance(g) ? other : g;
    }
    return g;
  }

  /// The group whose value of this sign is nearest.
  [[nodiscard]] std::uint8_t nearest_group(std::size_t j, bool sign) const {
    std::uint8_t best = 0;
    for (std::uint8_t g = 1; g < groups.count; ++g) {
      if (entry_distance(w[j], entry(g, j), sign) < entry_distance(w[j], entry(best, j), sign)) {
        best = g;
      }
    }
    return best;
  }

  [[nodiscard]] bool own_sign(std::size_t j, std::uint8_t g) const {
    return is_salient(g) ? salient_sign(w[j], salient(j, g)) : entry_sign(w[j], entry(g, j));
  }

  [[nodiscard]] float flip_cost(std::size_t j, std::uint8_t g) const {
    if (is_salient(g)) {
      return salient_flip_cost(w[j], salient(j, g), importance(j));
    }
    if (!regroups(j)) {
      return entry_flip_cost(w[j], entry(g, j), importance(j));
    }
    const bool own = own_sign(j, g);
    const std::uint8_t other = nearest_group(j, !own);
    return distance_cost(entry_distance(w[j], entry(g, j), own),
                         entry_distance(w[j], entry(other, j), !own), importance(j));
  }

  /// Signs of columns [begin, end): free, or those of the nearest codeword.
  Pattern choose(std::size_t begin, std::size_t end, PanelCode& code) const {
    Pattern own = 0;
    std::vector<float> cost(end - begin);
    for (std::size_t j = begin; j < end; ++j) {
      const std::uint8_t g = code.group(row, j);
      own |= static_cast<Pattern>(own_sign(j, g)) << (j - begin);
      cost[j - begin] = flip_cost(j, g);
    }
    if (rule.codewords == nullptr) {
      return own;
    }
    const int v = rule.codewords->vector_length();
    for (int b = static_cast<int>(end - begin); b < v; ++b) {
      own |= Pattern{1} << b;
    }
    std::uint32_t index = 0;
    if (rule.assignment == Assignment::kHamming) {
      rule.codewords->nearest({&own, 1}, {&index, 1});
    } else {
      cost.resize(static_cast<std::size_t>(v), 0.0F);
      Matrix<std::int32_t> rounded(1, static_cast<std::size_t>(v));
      round_costs(cost, rounded.row(0));
      rule.codewords->nearest_weighted({&own, 1}, rounded.view(), {&index, 1});
    }
    code.index(row, begin / static_cast<std::size_t>(v)) = index;
    return rule.codewords->codewords()[index];
  }

  float decode(std::size_t j, bool sign, PanelCode& code) const {
    const std::uint8_t g = code.group(row, j);
    if (!is_salient(g)) {
      return entry_value(entry(g, j), sign);
    }
    const bool second = salient_residual(w[j], salient(j, g), sign);
    code.residual.set(row, residual[j], second);
    return salient_value(salient(j, g), sign, second);
  }

  void run(PanelCode& code) {
    for (std::size_t begin = 0; begin < panel.width(); begin += rule.chunk) {
      const std::size_t end = std::min(begin + rule.chunk, panel.width());
      for (std::size_t j = begin; j < end; ++j) {
        if (rule.keep_target) {
          code.target(row, j) = w[j];
        }
        code.group(row, j) = group_of(j);
      }
      const Pattern pattern = choose(begin, end, code);
      std::vector<float> q(end - begin);
      for (std::size_t j = begin; j < end; ++j) {
        const bool sign = ((pattern >> (j - begin)) & 1U) != 0;
        code.signs.set(row, j, sign);
        if (regroups(j) && sign != own_sign(j, code.group(row, j))) {
          code.group(row, j) = nearest_group(j, sign);
        }
        q[j - begin] = decode(j, sign, code);
      }
      if (rule.compensation != Compensation::kSequential) {
        continue;
      }
      for (std::size_t j = begin; j < end; ++j) {
        const float error = (w[j] - q[j - begin]) / u_at(j, j);
        for (std::size_t later = j + 1; later < panel.width(); ++later) {
          w[later] = w[later] - error * u_at(j, later);
        }
      }
    }
  }
};

}  // namespace

PanelCode ReferenceArbSession::encode(Panel panel, const PanelGroups& groups,
                                      const PanelScales& scales, const EncodeRule& rule) {
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
  std::vector<std::size_t> rank(panel.width(), 0);
  for (std::size_t r = 0; r < groups.salient.size(); ++r) {
    rank[groups.salient[r]] = r;
  }
  for (std::size_t i = 0; i < w_.rows(); ++i) {
    const auto row = w_.row(i).subspan(panel.begin, panel.width());
    RowEncoder{i, panel, u_, groups, scales, rule, {row.begin(), row.end()}, rank}.run(code);
  }
  return code;
}

}  // namespace btc
