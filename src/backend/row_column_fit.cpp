#include "backend/row_column_fit.hpp"

#include <cmath>
#include <limits>

namespace btc {
namespace {

/// The denominators of the published code carry this; it is not negligible beside the squared
/// scales of a column.
constexpr double kTiny = 1e-8;

class RowColumnSweeps {
 public:
  RowColumnSweeps(MatrixView<const float> x, const Matrix<std::uint8_t>& mask, int planes)
      : x_(x), mask_(mask), planes_(static_cast<std::size_t>(planes)) {
    fit_.row = Matrix<double>(x.rows(), planes_);
    fit_.column = Matrix<double>(planes_, x.cols());
    fit_.sign.assign(planes_, Matrix<std::int8_t>(x.rows(), x.cols(), 1));
    for (std::size_t plane = 0; plane < planes_; ++plane) {
      start(plane);
    }
  }

  void sweep() {
    for (std::size_t plane = 0; plane < planes_; ++plane) {
      update_rows(plane);
      update_columns(plane);
    }
    if (planes_ == 2) {
      choose_signs();
    }
  }

  RowColumnFit finish() {
    std::vector<bool> used(x_.cols(), false);
    for (std::size_t i = 0; i < x_.rows(); ++i) {
      for (std::size_t j = 0; j < x_.cols(); ++j) {
        used[j] = used[j] || inside(i, j);
      }
    }
    normalise_columns(fit_, used);
    return std::move(fit_);
  }

 private:
  [[nodiscard]] bool inside(std::size_t i, std::size_t j) const { return mask_(i, j) != 0; }
  [[nodiscard]] double value(std::size_t plane, std::size_t i, std::size_t j) const {
    return fit_.row(i, plane) * fit_.column(plane, j) * static_cast<double>(fit_.sign[plane](i, j));
  }
  /// What the planes before leave.
  [[nodiscard]] double rest(std::size_t plane, std::size_t i, std::size_t j) const {
    const auto x = static_cast<double>(x_(i, j));
    return plane == 0 ? x : x - value(0, i, j);
  }
  /// What the other plane leaves.
  [[nodiscard]] double target(std::size_t plane, std::size_t i, std::size_t j) const {
    const auto x = static_cast<double>(x_(i, j));
    return planes_ == 1 ? x : x - value(1 - plane, i, j);
  }

  void start(std::size_t plane) {
    std::vector<double> sum(x_.cols());
    std::vector<double> count(x_.cols());
    for (std::size_t i = 0; i < x_.rows(); ++i) {
      double total = 0;
      double entries = 0;
      for (std::size_t j = 0; j < x_.cols(); ++j) {
        if (inside(i, j)) {
          const double x = rest(plane, i, j);
          total += std::fabs(x);
          entries += 1;
          fit_.sign[plane](i, j) = x >= 0 ? 1 : -1;
        }
      }
      const double scale = entries > 0 ? total / entries : 0.0;
      fit_.row(i, plane) = scale;
      for (std::size_t j = 0; j < x_.cols() && scale > 0; ++j) {
        if (inside(i, j)) {
          sum[j] += std::fabs(rest(plane, i, j)) / scale;
          count[j] += 1;
        }
      }
    }
    for (std::size_t j = 0; j < x_.cols(); ++j) {
      fit_.column(plane, j) = count[j] > 0 ? sum[j] / count[j] : 0.0;
    }
  }

  void update_rows(std::size_t plane) {
    for (std::size_t i = 0; i < x_.rows(); ++i) {
      double above = 0;
      double below = kTiny;
      for (std::size_t j = 0; j < x_.cols(); ++j) {
        if (inside(i, j)) {
          const double scale = fit_.column(plane, j);
          above += scale * static_cast<double>(fit_.sign[plane](i, j)) * target(plane, i, j);
          below += scale * scale;
        }
      }
      fit_.row(i, plane) = above / below;
    }
  }

  /// With the new row scales, and the targets that these were updated to.
  void update_columns(std::size_t plane) {
    std::vector<double> above(x_.cols(), 0.0);
    std::vector<double> below(x_.cols(), kTiny);
    for (std::size_t i = 0; i < x_.rows(); ++i) {
      const double scale = fit_.row(i, plane);
      for (std::size_t j = 0; j < x_.cols(); ++j) {
        if (inside(i, j)) {
          above[j] += scale * static_cast<double>(fit_.sign[plane](i, j)) * target(plane, i, j);
          below[j] += scale * scale;
        }
      }
    }
    for (std::size_t j = 0; j < x_.cols(); ++j) {
      fit_.column(plane, j) = above[j] / below[j];
    }
  }

  void choose_signs() {
    for (std::size_t i = 0; i < x_.rows(); ++i) {
      for (std::size_t j = 0; j < x_.cols(); ++j) {
        const double first = fit_.row(i, 0) * fit_.column(0, j);
        const double second = fit_.row(i, 1) * fit_.column(1, j);
        double best = std::numeric_limits<double>::infinity();
        for (const double b1 : {-1.0, 1.0}) {
          for (const double b2 : {-1.0, 1.0}) {
            const double distance =
                std::fabs(static_cast<double>(x_(i, j)) - (first * b1 + second * b2));
            if (distance < best) {
              best = distance;
              fit_.sign[0](i, j) = static_cast<std::int8_t>(b1);
              fit_.sign[1](i, j) = static_cast<std::int8_t>(b2);
            }
          }
        }
      }
    }
  }

  MatrixView<const float> x_;
  const Matrix<std::uint8_t>& mask_;
  std::size_t planes_;
  RowColumnFit fit_;
};

}  // namespace

RowColumnFit fit_row_column(MatrixView<const float> x, const Matrix<std::uint8_t>& mask, int planes,
                            int iterations) {
  RowColumnSweeps sweeps(x, mask, planes);
  for (int sweep = 0; sweep < iterations; ++sweep) {
    sweeps.sweep();
  }
  return sweeps.finish();
}

void normalise_columns(RowColumnFit& fit, const std::vector<bool>& used) {
  for (std::size_t plane = 0; plane < fit.column.rows(); ++plane) {
    double sum = 0;
    double count = 0;
    for (std::size_t j = 0; j < used.size(); ++j) {
      sum += used[j] ? fit.column(plane, j) : 0.0;
      count += used[j] ? 1.0 : 0.0;
    }
    const double mean = sum > 0 ? sum / count : 1.0;
    for (std::size_t j = 0; j < used.size(); ++j) {
      fit.column(plane, j) = used[j] ? fit.column(plane, j) / mean : 1.0;
    }
    for (std::size_t i = 0; i < fit.row.rows(); ++i) {
      fit.row(i, plane) *= mean;
    }
  }
}

}  // namespace btc
