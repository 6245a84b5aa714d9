#include "quant/sign_sets.hpp"

#include <algorithm>
#include <utility>

#include "backend/panel.hpp"
#include "common/error.hpp"

namespace btc {
namespace {

/// Padding behind `size` signs: +1, -1, +1, ...
bool padding(std::size_t position, std::size_t size) { return (position - size) % 2 == 0; }

bool inside(std::uint32_t column, std::size_t begin, std::size_t end) {
  return column >= begin && column < end;
}

/// Groups of the entries of columns [begin, end), also of a Linear with one group.
Matrix<std::uint8_t> groups_of(const QuantizedLinear& linear, std::size_t begin, std::size_t end) {
  Matrix<std::uint8_t> group(linear.rows, end - begin);
  for (std::size_t i = 0; i < linear.rows && !linear.group.empty(); ++i) {
    std::copy_n(linear.group.row(i).begin() + static_cast<std::ptrdiff_t>(begin), end - begin,
                group.row(i).begin());
  }
  for (const std::uint32_t column : linear.salient_columns) {
    for (std::size_t i = 0; i < linear.rows && inside(column, begin, end); ++i) {
      group(i, column - begin) = salient_code(salient_group_of(linear, i, column));
    }
  }
  return group;
}

}  // namespace

SignGroups sign_groups(const BinarizeParams& binarize) {
  const auto groups = static_cast<std::size_t>(binarize.split_points) + 1;
  return {groups, binarize.salient_groups ? groups : 1, binarize.salient != SalientRule::kNone};
}

std::size_t SignSet::vectors(int vector_length) const {
  return ceil_div(places.size(), static_cast<std::size_t>(vector_length));
}

std::vector<SignSet> sign_sets(const Matrix<std::uint8_t>& group, const SignGroups& groups) {
  std::vector<SignSet> sets(groups.sets());
  const std::size_t second = groups.groups + groups.salient_groups;
  for (std::size_t k = second; k < sets.size(); ++k) {
    sets[k].second = true;
  }
  for (std::size_t i = 0; i < group.rows(); ++i) {
    std::size_t rank = 0;
    for (std::size_t j = 0; j < group.cols(); ++j) {
      const std::uint8_t g = group(i, j);
      if (!is_salient(g)) {
        sets.at(g).places.push_back({i, j});
        continue;
      }
      sets.at(groups.groups + salient_group(g)).places.push_back({i, j});
      sets.at(second + salient_group(g)).places.push_back({i, rank++});
    }
  }
  return sets;
}

std::vector<Pattern> set_vectors(const SignSet& set, const BitMatrix& plane, std::size_t begin,
                                 int vector_length) {
  const auto v = static_cast<std::size_t>(vector_length);
  std::vector<Pattern> vectors(set.vectors(vector_length), 0);
  for (std::size_t t = 0; t < vectors.size() * v; ++t) {
    const bool sign = t < set.places.size()
                          ? plane.get(set.places[t].row, begin + set.places[t].column)
                          : padding(t, set.places.size());
    vectors[t / v] |= static_cast<Pattern>(sign) << (t % v);
  }
  return vectors;
}

void put_vectors(const SignSet& set, std::span<const Pattern> vectors, std::size_t begin,
                 int vector_length, BitMatrix& plane) {
  const auto v = static_cast<std::size_t>(vector_length);
  BTC_CHECK(vectors.size() == set.vectors(vector_length), vectors.size(), " vectors of a set of ",
            set.places.size(), " signs");
  for (std::size_t t = 0; t < set.places.size(); ++t) {
    plane.set(set.places[t].row, begin + set.places[t].column,
              ((vectors[t / v] >> (t % v)) & 1U) != 0);
  }
}

void for_each_panel(const QuantizedLinear& linear, const SignGroups& groups,
                    const std::function<void(std::size_t, const PanelSets&)>& visit) {
  std::size_t rank = 0;
  for (std::size_t b = 0; b < linear.panels(); ++b) {
    const std::size_t begin = b * linear.panel;
    const std::size_t end = std::min(begin + linear.panel, linear.cols);
    visit(b, {sign_sets(groups_of(linear, begin, end), groups), begin, rank});
    for (const std::uint32_t column : linear.salient_columns) {
      rank += inside(column, begin, end) ? 1U : 0U;
    }
  }
}

std::size_t vector_count(const QuantizedLinear& linear, const SignGroups& groups,
                         int vector_length) {
  std::size_t count = 0;
  for_each_panel(linear, groups, [&](std::size_t /*b*/, const PanelSets& panel) {
    for (const SignSet& set : panel.sets) {
      count += set.vectors(vector_length);
    }
  });
  return count;
}

void fill_signs(const SignGroups& groups,
                const std::function<Pattern(std::size_t, std::size_t, std::size_t)>& vector_of,
                int vector_length, QuantizedLinear& linear) {
  BitMatrix signs(linear.rows, linear.cols);
  BitMatrix residual(linear.rows, linear.salient_columns.size());
  std::size_t next = 0;
  for_each_panel(linear, groups, [&](std::size_t b, const PanelSets& panel) {
    for (std::size_t k = 0; k < panel.sets.size(); ++k) {
      const SignSet& set = panel.sets[k];
      std::vector<Pattern> vectors(set.vectors(vector_length));
      for (Pattern& vector : vectors) {
        vector = vector_of(b, k, next++);
      }
      put_vectors(set, vectors, panel.begin(set), vector_length, set.second ? residual : signs);
    }
  });
  linear.signs = std::move(signs);
  linear.residual = std::move(residual);
}

std::vector<PatternHistogram> set_histograms(const QuantizedLinear& linear,
                                             const SignGroups& groups, int vector_length) {
  std::vector<PatternHistogram> histograms;
  for_each_panel(linear, groups, [&](std::size_t /*b*/, const PanelSets& panel) {
    for (const SignSet& set : panel.sets) {
      const BitMatrix& plane = set.second ? linear.residual : linear.signs;
      histograms.push_back(
          count_patterns(set_vectors(set, plane, panel.begin(set), vector_length), vector_length));
    }
  });
  return histograms;
}

}  // namespace btc
