#include "quant/row_scales.hpp"

#include <algorithm>
#include <array>
#include <cmath>

#include "backend/entry.hpp"
#include "backend/panel.hpp"

namespace btc {
namespace {

/// B * target of every entry outside the salient columns, zeros inside.
using Projection = Matrix<float>;

/// Sweeps end when no column scale changes by more than this share: a quarter of fp16's spacing.
constexpr double kSettled = 0x1p-12;

/// Alternating least squares of alpha and alpha_col.
class ProductFit {
 public:
  ProductFit(const RowProblem& problem, const Projection& projected)
      : problem_(problem),
        projected_(projected),
        alpha_(projected.rows(), problem.groups),
        column_(projected.cols(), 1.0),
        above_(projected.cols()),
        below_(projected.cols()) {}

  void run(int iterations, RowScales& scales) {
    bool settled = iterations == 0;
    update_alpha();
    for (int sweep = 0; sweep < iterations && !settled; ++sweep) {
      settled = update_columns();
      update_alpha();
    }
    scales.alpha = std::move(alpha_);
    scales.alpha_col.assign(column_.begin(), column_.end());
  }

 private:
  /// alpha of every row and group for the present columns, and what the columns' step sums up.
  void update_alpha() {
    std::fill(above_.begin(), above_.end(), 0.0);
    std::fill(below_.begin(), below_.end(), 0.0);
    for (std::size_t i = 0; i < projected_.rows(); ++i) {
      update_row(i);
      for (std::size_t j = 0; j < column_.size(); ++j) {
        const std::uint8_t g = problem_.group(i, j);
        const double alpha = g == kSalientGroup ? 0.0 : static_cast<double>(alpha_(i, g));
        above_[j] += alpha * static_cast<double>(projected_(i, j));
        below_[j] += alpha * alpha;
      }
    }
  }

  void update_row(std::size_t i) {
    std::array<double, 256> above{};
    std::array<double, 256> below{};
    for (std::size_t j = 0; j < column_.size(); ++j) {
      const std::uint8_t g = problem_.group(i, j);
      const double weight = static_cast<double>(problem_.importance[j]) * column_[j];
      above[g] += weight * static_cast<double>(projected_(i, j));
      below[g] += weight * column_[j];
    }
    for (std::size_t g = 0; g < problem_.groups; ++g) {
      alpha_(i, g) = below[g] > 0 ? static_cast<float>(above[g] / below[g]) : 0.0F;
    }
  }

  /// @return whether all of them stayed
  bool update_columns() {
    bool settled = true;
    for (std::size_t j = 0; j < column_.size(); ++j) {
      const double scale = below_[j] > 0 ? above_[j] / below_[j] : 1.0;
      settled = settled && std::fabs(scale - column_[j]) <= kSettled * std::fabs(scale);
      column_[j] = scale;
    }
    return settled;
  }

  const RowProblem& problem_;
  const Projection& projected_;
  Matrix<float> alpha_;         // [n, G]
  std::vector<double> column_;  // [m]
  std::vector<double> above_;   // sum over rows of alpha * B * target
  std::vector<double> below_;   // sum over rows of alpha^2
};

/// The factor that alpha and alpha_col can exchange: alpha_col gets mean 1.
void normalise(const RowProblem& problem, RowScales& scales) {
  double sum = 0;
  std::size_t count = 0;
  for (std::size_t j = 0; j < scales.alpha_col.size(); ++j) {
    const bool salient = problem.group.rows() > 0 && problem.group(0, j) == kSalientGroup;
    sum += salient ? 0.0 : static_cast<double>(scales.alpha_col[j]);
    count += salient ? 0 : 1;
  }
  const double mean = count > 0 ? sum / static_cast<double>(count) : 1.0;
  if (!(mean > 0)) {
    return;
  }
  for (std::size_t j = 0; j < scales.alpha_col.size(); ++j) {
    const bool salient = problem.group.rows() > 0 && problem.group(0, j) == kSalientGroup;
    const auto scale = static_cast<double>(scales.alpha_col[j]);
    scales.alpha_col[j] = salient ? 1.0F : static_cast<float>(scale / mean);
  }
  for (float& alpha : scales.alpha.values()) {
    alpha = static_cast<float>(static_cast<double>(alpha) * mean);
  }
}

constexpr int kRatioSweeps = 20;

/// sum_j h_j alpha_col_j^2 over the entries of each row and group [n, G].
Matrix<double> group_worth(const RowProblem& problem, const std::vector<float>& alpha_col) {
  Matrix<double> worth(problem.target.rows(), problem.groups);
  for (std::size_t i = 0; i < worth.rows(); ++i) {
    for (std::size_t j = 0; j < problem.target.cols(); ++j) {
      const std::uint8_t g = problem.group(i, j);
      if (g != kSalientGroup) {
        const auto column = static_cast<double>(alpha_col[j]);
        worth(i, g) += static_cast<double>(problem.importance[j]) * column * column;
      }
    }
  }
  return worth;
}

/// Least-squares a of sum_g worth_g (alpha_g - a ratio_g)^2.
double shared_scale(std::span<const float> alpha, std::span<const double> worth,
                    const std::vector<double>& ratio) {
  double above = 0;
  double below = 0;
  for (std::size_t g = 0; g < ratio.size(); ++g) {
    above += worth[g] * ratio[g] * static_cast<double>(alpha[g]);
    below += worth[g] * ratio[g] * ratio[g];
  }
  return below > 0 ? above / below : 0;
}

/// Least-squares ratios for the rows' scales, then divided by the first.
void update_ratio(const Matrix<float>& alpha, const Matrix<double>& worth,
                  const std::vector<double>& row, std::vector<double>& ratio) {
  std::vector<double> next(ratio.size());
  for (std::size_t g = 0; g < ratio.size(); ++g) {
    double above = 0;
    double below = 0;
    for (std::size_t i = 0; i < row.size(); ++i) {
      above += worth(i, g) * row[i] * static_cast<double>(alpha(i, g));
      below += worth(i, g) * row[i] * row[i];
    }
    next[g] = below > 0 ? above / below : 1.0;
  }
  if (next[0] > 0) {
    std::transform(next.begin(), next.end(), ratio.begin(),
                   [&](double value) { return value / next[0]; });
  }
}

/// A row's salient entries.
struct SalientRow {
  std::vector<float> target;
  std::vector<double> importance;
  std::vector<bool> sign;
  std::vector<bool> residual;
};

/// Weighted least squares of both plane scales; a plane that adds nothing gets 0.
SalientScale solve_planes(const SalientRow& row) {
  double h = 0;
  double cross = 0;
  double b1 = 0;
  double b2 = 0;
  for (std::size_t q = 0; q < row.target.size(); ++q) {
    const double weight = row.importance[q];
    const double weighted = weight * static_cast<double>(row.target[q]);
    h += weight;
    cross += row.sign[q] == row.residual[q] ? weight : -weight;
    b1 += row.sign[q] ? weighted : -weighted;
    b2 += row.residual[q] ? weighted : -weighted;
  }
  const double determinant = h * h - cross * cross;
  if (!(determinant > 1e-12 * h * h)) {
    return {h > 0 ? static_cast<float>(b1 / h) : 0.0F, 0.0F, 0.0F};
  }
  return {static_cast<float>((h * b1 - cross * b2) / determinant),
          static_cast<float>((h * b2 - cross * b1) / determinant), 0.0F};
}

void choose_planes(SalientRow& row, const SalientScale& scale) {
  for (std::size_t q = 0; q < row.target.size(); ++q) {
    row.sign[q] = salient_sign(row.target[q], scale);
    row.residual[q] = salient_residual(row.target[q], scale, row.sign[q]);
  }
}

SalientRow salient_row(const RowProblem& problem, std::size_t i) {
  SalientRow row;
  for (std::size_t j = 0; j < problem.target.cols(); ++j) {
    if (problem.group(i, j) == kSalientGroup) {
      row.target.push_back(problem.target(i, j));
      row.importance.push_back(static_cast<double>(problem.importance[j]));
    }
  }
  row.sign.resize(row.target.size());
  row.residual.resize(row.target.size());
  return row;
}

/// Plain two-plane residual start: mean |w|, then mean ||w| - mean|.
SalientScale plain_planes(const SalientRow& row) {
  double first = 0;
  double second = 0;
  const auto count = static_cast<double>(row.target.size());
  for (const float w : row.target) {
    first += std::fabs(static_cast<double>(w)) / count;
  }
  for (const float w : row.target) {
    second += std::fabs(std::fabs(static_cast<double>(w)) - first) / count;
  }
  return {static_cast<float>(first), static_cast<float>(second), 0.0F};
}

bool has_salient(const RowProblem& problem) {
  if (problem.group.rows() == 0) {
    return false;
  }
  const auto row = problem.group.row(0);
  return std::find(row.begin(), row.end(), kSalientGroup) != row.end();
}

/// alpha and alpha_col, and room for the scales of salient columns if there are any.
RowScales fit_product(const RowProblem& problem, const Projection& projected, int iterations) {
  RowScales scales;
  ProductFit(problem, projected).run(iterations, scales);
  normalise(problem, scales);
  if (has_salient(problem)) {
    scales.salient_alpha = Matrix<float>(projected.rows(), 2);
  }
  return scales;
}

}  // namespace

RowScales fit_row_scales(const RowProblem& problem, int iterations) {
  const std::size_t rows = problem.target.rows();
  Projection projected(rows, problem.target.cols());
  for (std::size_t i = 0; i < rows; ++i) {
    for (std::size_t j = 0; j < projected.cols(); ++j) {
      projected(i, j) = std::fabs(problem.target(i, j));
    }
  }
  RowScales scales = fit_product(problem, projected, iterations);
  for (std::size_t i = 0; i < scales.salient_alpha.rows(); ++i) {
    SalientRow row = salient_row(problem, i);
    SalientScale scale = plain_planes(row);
    for (int sweep = 0; sweep < iterations; ++sweep) {
      choose_planes(row, scale);
      scale = solve_planes(row);
    }
    scales.salient_alpha(i, 0) = scale.alpha;
    scales.salient_alpha(i, 1) = scale.residual;
  }
  return scales;
}

RowScales refit_row_scales(const RowProblem& problem, const BitMatrix& signs,
                           const BitMatrix& residual, int iterations) {
  const std::size_t rows = problem.target.rows();
  Projection projected(rows, problem.target.cols());
  for (std::size_t i = 0; i < rows; ++i) {
    for (std::size_t j = 0; j < projected.cols(); ++j) {
      projected(i, j) = signs.sign(i, j) * problem.target(i, j);
    }
  }
  RowScales scales = fit_product(problem, projected, iterations);
  for (std::size_t i = 0; i < scales.salient_alpha.rows(); ++i) {
    SalientRow row = salient_row(problem, i);
    std::size_t rank = 0;
    for (std::size_t j = 0; j < projected.cols(); ++j) {
      if (problem.group(i, j) == kSalientGroup) {
        row.sign[rank] = signs.get(i, j);
        row.residual[rank] = residual.get(i, rank);
        ++rank;
      }
    }
    const SalientScale scale = solve_planes(row);
    scales.salient_alpha(i, 0) = scale.alpha;
    scales.salient_alpha(i, 1) = scale.residual;
  }
  return scales;
}

void share_group_ratio(const RowProblem& problem, RowScales& scales) {
  const Matrix<double> worth = group_worth(problem, scales.alpha_col);
  std::vector<double> ratio(problem.groups, 1.0);
  std::vector<double> row(scales.alpha.rows());
  for (int sweep = 0; sweep < kRatioSweeps; ++sweep) {
    for (std::size_t i = 0; i < row.size(); ++i) {
      row[i] = shared_scale(scales.alpha.row(i), worth.row(i), ratio);
    }
    update_ratio(scales.alpha, worth, row, ratio);
  }
  scales.group_ratio.assign(ratio.begin(), ratio.end());
  for (std::size_t i = 0; i < row.size(); ++i) {
    const double scale = shared_scale(scales.alpha.row(i), worth.row(i), ratio);
    for (std::size_t g = 0; g < problem.groups; ++g) {
      scales.alpha(i, g) = static_cast<float>(scale * ratio[g]);
    }
  }
}

}  // namespace btc
