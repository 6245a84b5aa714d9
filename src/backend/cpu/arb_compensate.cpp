/// Elimination of columns: exact inside a panel, by one matrix product to the right of it. What
/// changes the weights is summed in doubles and rounded once, so that all backends agree on them.
#include <Eigen/Core>
#include <algorithm>
#include <numeric>
#include <type_traits>

#include "backend/cpu/arb_session.hpp"

namespace btc {
namespace {

constexpr std::size_t kTile = 256;
constexpr std::size_t kSlice = 512;  // columns of one product

template <typename T>
using RowMajor = Eigen::Matrix<T, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
using Stride = Eigen::OuterStride<>;

template <typename T>
Eigen::Map<const RowMajor<T>, 0, Stride> map(MatrixView<const T> a) {
  return {a.data(), static_cast<Eigen::Index>(a.rows()), static_cast<Eigen::Index>(a.cols()),
          Stride(static_cast<Eigen::Index>(a.stride()))};
}

template <typename T>
requires(!std::is_const_v<T>) Eigen::Map < RowMajor<T>,
0, Stride > map(MatrixView<T> a) {
  return {a.data(), static_cast<Eigen::Index>(a.rows()), static_cast<Eigen::Index>(a.cols()),
          Stride(static_cast<Eigen::Index>(a.stride()))};
}

/// error := (error) U_CC^-1 row by row, in place.
template <typename T>
void eliminate_inside(MatrixView<T> error, MatrixView<const float> u) {
  for (std::size_t i = 0; i < error.rows(); ++i) {
    const auto row = error.row(i);
    for (std::size_t j = 0; j < row.size(); ++j) {
      const auto factors = u.row(j);
      const T e = row[j] / static_cast<T>(factors[j]);
      row[j] = e;
#pragma omp simd
      for (std::size_t later = j + 1; later < row.size(); ++later) {
        row[later] -= e * static_cast<T>(factors[later]);
      }
    }
  }
}

/// right -= error * u in doubles, by products of fixed shapes on one thread.
void push_right(const RowMajor<double>& error, MatrixView<const float> u, MatrixView<float> right) {
  for (std::size_t begin = 0; begin < right.cols(); begin += kSlice) {
    const std::size_t end = std::min(begin + kSlice, right.cols());
    const RowMajor<double> factors = map(u.columns(begin, end)).cast<double>();
    auto slice = map(right.columns(begin, end));
    slice = (slice.cast<double>() - error * factors).cast<float>();
  }
}

double squared_norm(const RowMajor<float>& a) {
  double sum = 0;
  for (Eigen::Index e = 0; e < a.size(); ++e) {
    sum += static_cast<double>(a.data()[e]) * static_cast<double>(a.data()[e]);
  }
  return sum;
}

/// |e U^-1|^2 of a few rows; `e` is used up.
double tile_energy(MatrixView<float> e, MatrixView<const float> u) {
  constexpr std::size_t kPanel = 128;
  const std::size_t m = e.cols();
  double sum = 0;
  for (std::size_t begin = 0; begin < m; begin += kPanel) {
    const std::size_t end = std::min(begin + kPanel, m);
    RowMajor<float> error = map(e.columns(begin, end));
    eliminate_inside(MatrixView<float>(error.data(), e.rows(), end - begin),
                     u.sub(begin, end, begin, end));
    sum += squared_norm(error);
    if (end < m) {
      map(e.columns(end, m)).noalias() -= error * map(u.sub(begin, end, end, m));
    }
  }
  return sum;
}

}  // namespace

void CpuArbSession::compensate(Panel panel, MatrixView<const float> q, Compensation kind) {
  if (kind == Compensation::kNone) {
    return;
  }
  const std::size_t m = w_.cols();
  const MatrixView<const float> diagonal = u_.sub(panel.begin, panel.end, panel.begin, panel.end);
  workers_->for_blocks(w_.rows(), kTile, [&](std::size_t begin, std::size_t end) {
    RowMajor<double> error = map(w_.view().sub(begin, end, panel.begin, panel.end)).cast<double>() -
                             map(q.sub(begin, end, 0, panel.width())).cast<double>();
    const MatrixView<double> view(error.data(), end - begin, panel.width());
    if (kind == Compensation::kBlock) {
      for (std::size_t i = 0; i < view.rows(); ++i) {
        for (std::size_t j = 0; j < view.cols(); ++j) {
          view(i, j) /= static_cast<double>(diagonal(j, j));
        }
      }
    } else {
      eliminate_inside(view, diagonal);
    }
    push_right(error, u_.sub(panel.begin, panel.end, panel.end, m),
               w_.view().sub(begin, end, panel.end, m));
  });
}

double CpuArbSession::energy(MatrixView<const float> e) const {
  std::vector<double> parts(ceil_div(e.rows(), kTile), 0.0);
  workers_->for_blocks(e.rows(), kTile, [&](std::size_t begin, std::size_t end) {
    RowMajor<float> copy = map(e.sub(begin, end, 0, e.cols()));
    parts[begin / kTile] = tile_energy({copy.data(), end - begin, e.cols()}, u_);
  });
  return std::accumulate(parts.begin(), parts.end(), 0.0);
}

}  // namespace btc
