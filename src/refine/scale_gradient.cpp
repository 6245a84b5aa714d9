#include "refine/scale_gradient.hpp"

#include <algorithm>
#include <cmath>

namespace btc {
namespace {

/// Sums of one row, and of the columns over all rows so far.
class GradientSums {
 public:
  explicit GradientSums(const QuantizedLinear& linear)
      : linear_(linear),
        alpha_(linear.alpha.cols()),
        mu_(linear.mu.cols()),
        salient_alpha_(linear.salient_alpha.cols()),
        salient_mu_(linear.salient_mu.cols()),
        column_(linear.alpha_col.size()),
        salient_column_(linear.salient_alpha_col.size()),
        ratio_(linear.group_ratio.size()) {
    result_.alpha.reserve(linear.alpha.size());
  }

  void add_row(std::size_t i, std::span<const float> gradient) {
    for (auto* sums : {&alpha_, &mu_, &salient_alpha_, &salient_mu_}) {
      std::fill(sums->begin(), sums->end(), 0.0);
    }
    std::size_t rank = 0;
    for (std::size_t j = 0; j < gradient.size(); ++j) {
      const auto g = static_cast<double>(gradient[j]);
      if (rank < linear_.salient_columns.size() && linear_.salient_columns[rank] == j) {
        add_salient(i, j, rank++, g);
      } else {
        add_entry(i, j, g);
      }
    }
    append(alpha_, result_.alpha);
    append(mu_, result_.mu);
    append(salient_alpha_, result_.salient_alpha);
    append(salient_mu_, result_.salient_mu);
  }

  std::vector<float> take() {
    std::vector<float> all = std::move(result_.alpha);
    for (const auto* part : {&result_.mu, &result_.salient_alpha, &result_.salient_mu}) {
      all.insert(all.end(), part->begin(), part->end());
    }
    append(column_, all);
    append(salient_column_, all);
    append(ratio_, all);
    return all;
  }

 private:
  void add_salient(std::size_t i, std::size_t j, std::size_t rank, double g) {
    const std::size_t s = salient_group_of(linear_, i, j);
    const std::size_t at = j / linear_.panel * linear_.salient_groups + s;
    add_plane(i, at, 2 * s, rank, linear_.signs.get(i, j) ? g : -g);
    add_plane(i, at, 2 * s + 1, rank, linear_.residual.get(i, rank) ? g : -g);
    if (!salient_mu_.empty()) {
      salient_mu_[at] += g;
    }
  }

  /// @param at scale of the salient group in its panel; @param plane 2 s + 0 or 1
  void add_plane(std::size_t i, std::size_t at, std::size_t plane, std::size_t rank,
                 double signed_g) {
    const std::size_t scale = 2 * at + plane % 2;
    if (salient_column_.empty()) {
      salient_alpha_[scale] += signed_g;
      return;
    }
    const std::size_t column = plane * linear_.salient_columns.size() + rank;
    salient_alpha_[scale] += signed_g * static_cast<double>(linear_.salient_alpha_col[column]);
    salient_column_[column] += signed_g * static_cast<double>(linear_.salient_alpha(i, scale));
  }

  void add_entry(std::size_t i, std::size_t j, double g) {
    const std::size_t group = linear_.group.empty() ? 0 : linear_.group(i, j);
    const std::size_t at = linear_.alpha_column(group, j);
    const std::size_t column = (column_.size() == linear_.cols ? 0 : group) * linear_.cols + j;
    const double signed_g = g * factor_of_alpha(i, j);
    const auto alpha = static_cast<double>(linear_.alpha(i, at));
    const double ratio = ratio_.empty() ? 1.0 : static_cast<double>(linear_.group_ratio[group]);
    const double scale = column_.empty() ? 1.0 : static_cast<double>(linear_.alpha_col[column]);
    alpha_[at] += signed_g * ratio * scale;
    if (!column_.empty()) {
      column_[column] += signed_g * ratio * alpha;
    }
    if (!ratio_.empty()) {
      ratio_[group] += signed_g * scale * alpha;
    }
    if (!mu_.empty()) {
      mu_[at] += g;
    }
  }

  /// What alpha is multiplied by.
  [[nodiscard]] double factor_of_alpha(std::size_t i, std::size_t j) const {
    if (linear_.level_bits > 0) {
      return signed_level(linear_, i, j);
    }
    return linear_.signs.get(i, j) ? 1.0 : -1.0;
  }

  static void append(const std::vector<double>& sums, std::vector<float>& values) {
    std::transform(sums.begin(), sums.end(), std::back_inserter(values),
                   [](double sum) { return static_cast<float>(sum); });
  }

  const QuantizedLinear& linear_;
  std::vector<double> alpha_, mu_, salient_alpha_, salient_mu_;  // of the row
  std::vector<double> column_;
  std::vector<double> salient_column_;
  std::vector<double> ratio_;
  struct {
    std::vector<float> alpha, mu, salient_alpha, salient_mu;
  } result_;
};

void append_magnitudes(const std::vector<float>& values, std::vector<float>& units) {
  std::transform(values.begin(), values.end(), std::back_inserter(units),
                 [](float value) { return std::fabs(value); });
}

}  // namespace

ScaleFields scale_fields(QuantizedLinear& linear) {
  return {linear.alpha.values(),      linear.mu.values(), linear.salient_alpha.values(),
          linear.salient_mu.values(), linear.alpha_col,   linear.salient_alpha_col,
          linear.group_ratio};
}

std::vector<float> scale_units(const QuantizedLinear& linear) {
  std::vector<float> units;
  append_magnitudes(linear.alpha.values(), units);
  if (!linear.mu.empty()) {
    append_magnitudes(linear.alpha.values(), units);
  }
  append_magnitudes(linear.salient_alpha.values(), units);
  for (std::size_t e = 0; e < linear.salient_mu.size(); ++e) {
    units.push_back(std::fabs(linear.salient_alpha.values()[2 * e]));
  }
  const std::size_t columns = units.size();
  append_magnitudes(linear.alpha_col, units);
  for (std::size_t row = 0; row < linear.alpha_col.size(); row += linear.cols) {
    for (const std::uint32_t j : linear.salient_columns) {
      units[columns + row + j] = 0;
    }
  }
  append_magnitudes(linear.salient_alpha_col, units);
  const std::size_t ratio = units.size();
  append_magnitudes(linear.group_ratio, units);
  if (!linear.group_ratio.empty()) {
    units[ratio] = 0;
  }
  return units;
}

std::vector<float> scale_gradient(const QuantizedLinear& linear,
                                  MatrixView<const float> weight_gradient) {
  BTC_CHECK(weight_gradient.rows() == linear.rows && weight_gradient.cols() == linear.cols,
            "gradient [", weight_gradient.rows(), ", ", weight_gradient.cols(), "] of a Linear [",
            linear.rows, ", ", linear.cols, "]");
  GradientSums sums(linear);
  for (std::size_t i = 0; i < linear.rows; ++i) {
    sums.add_row(i, weight_gradient.row(i));
  }
  return sums.take();
}

}  // namespace btc
