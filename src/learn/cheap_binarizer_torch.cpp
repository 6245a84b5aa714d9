#include "learn/cheap_binarizer.hpp"

#include <algorithm>
#include <array>
#include <cmath>

#include "quant/split_points.hpp"

namespace btc {
namespace {

constexpr std::size_t kMostGroups = 4;

/// Sums over the entries of each group of a row in a panel.
struct GroupSums {
  std::array<double, kMostGroups> count{}, x{}, sign{}, signed_x{};
};

GroupSums sum_groups(std::span<const float> x, std::span<const std::uint8_t> group,
                     std::span<const std::int8_t> sign) {
  GroupSums sums;
  for (std::size_t j = 0; j < x.size(); ++j) {
    const std::size_t g = group[j];
    const auto value = static_cast<double>(x[j]);
    sums.count.at(g) += 1;
    sums.x.at(g) += value;
    sums.sign.at(g) += sign[j];
    sums.signed_x.at(g) += sign[j] * value;
  }
  return sums;
}

/// Least squares of mu + alpha B.
struct Level {
  double mu = 0;
  double alpha = 0;
};

Level fit_level(const GroupSums& sums, std::size_t g, bool mean) {
  const double n = sums.count.at(g);
  const double b = sums.sign.at(g);
  if (n == 0) {
    return {};
  }
  if (!mean) {
    return {0, sums.signed_x.at(g) / n};
  }
  const double determinant = n * n - b * b;
  if (determinant == 0) {  // one sign only: 1 and B are the same
    return {sums.x.at(g) / n, 0};
  }
  return {(n * sums.x.at(g) - b * sums.signed_x.at(g)) / determinant,
          (n * sums.signed_x.at(g) - b * sums.x.at(g)) / determinant};
}

}  // namespace

CheapBinarizer::CheapBinarizer(const BinarizeParams& params, std::size_t panel)
    : params_(params), panel_(panel), mean_(params.scales == ScaleLayout::kPanel) {
  if (params_.split_rule != SplitRule::kFraction) {
    params_.split_rule = SplitRule::kMagnitude;
  }
}

void CheapBinarizer::regroup(MatrixView<const float> weights) {
  group_ = Matrix<std::uint8_t>(weights.rows(), weights.cols());
  for (std::size_t begin = 0; begin < weights.cols(); begin += panel_) {
    const std::size_t end = std::min(begin + panel_, weights.cols());
    const auto w = weights.columns(begin, end);
    const auto groups = group_.view().columns(begin, end);
    if (params_.split_points > 0) {
      const Matrix<float> thresholds = magnitude_thresholds(w, groups, params_);
      group_by_thresholds(w, thresholds.view(), groups);
    }
  }
}

void CheapBinarizer::choose_signs(MatrixView<const float> weights) {
  BTC_CHECK(group_.rows() == weights.rows() && group_.cols() == weights.cols(),
            "weights were not grouped");
  sign_ = Matrix<std::int8_t>(weights.rows(), weights.cols(), std::int8_t{1});
  for (std::size_t i = 0; i < weights.rows(); ++i) {
    for (std::size_t begin = 0; begin < weights.cols(); begin += panel_) {
      const std::size_t width = std::min(panel_, weights.cols() - begin);
      const auto w = weights.row(i).subspan(begin, width);
      const auto group = group_.row(i).subspan(begin, width);
      const auto sign = sign_.row(i).subspan(begin, width);
      const GroupSums sums = sum_groups(w, group, sign);
      for (std::size_t j = 0; j < width; ++j) {
        const std::size_t g = group[j];
        const double mean = mean_ ? sums.x.at(g) / sums.count.at(g) : 0;
        sign[j] = static_cast<double>(w[j]) < mean ? std::int8_t{-1} : std::int8_t{1};
      }
    }
  }
}

Matrix<float> CheapBinarizer::project(MatrixView<const float> x) const {
  BTC_CHECK(sign_.rows() == x.rows() && sign_.cols() == x.cols(), "weights have no signs");
  Matrix<float> result(x.rows(), x.cols());
  for (std::size_t i = 0; i < x.rows(); ++i) {
    for (std::size_t begin = 0; begin < x.cols(); begin += panel_) {
      const std::size_t width = std::min(panel_, x.cols() - begin);
      const auto group = group_.row(i).subspan(begin, width);
      const auto sign = sign_.row(i).subspan(begin, width);
      const GroupSums sums = sum_groups(x.row(i).subspan(begin, width), group, sign);
      std::array<Level, kMostGroups> level;
      for (std::size_t g = 0; g < kMostGroups; ++g) {
        level.at(g) = fit_level(sums, g, mean_);
      }
      for (std::size_t j = 0; j < width; ++j) {
        const Level& own = level.at(group[j]);
        result(i, begin + j) = static_cast<float>(own.mu + sign[j] * own.alpha);
      }
    }
  }
  return result;
}

}  // namespace btc
