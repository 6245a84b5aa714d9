/// Elimination of columns: exact inside a panel, by one matrix product to the right of it.
#include <Eigen/Core>
#include <algorithm>
#include <numeric>

#include "backend/cpu/arb_session.hpp"

namespace btc {
namespace {

constexpr std::size_t kTile = 256;

using RowMajor = Eigen::Matrix<float, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
using Stride = Eigen::OuterStride<>;

Eigen::Map<const RowMajor, 0, Stride> map(MatrixView<const float> a) {
  return {a.data(), static_cast<Eigen::Index>(a.rows()), static_cast<Eigen::Index>(a.cols()),
          Stride(static_cast<Eigen::Index>(a.stride()))};
}

Eigen::Map<RowMajor, 0, Stride> map(MatrixView<float> a) {
  return {a.data(), static_cast<Eigen::Index>(a.rows()), static_cast<Eigen::Index>(a.cols()),
          Stride(static_cast<Eigen::Index>(a.stride()))};
}

/// error := (error) U_CC^-1 row by row, in place.
void eliminate_inside(MatrixView<float> error, MatrixView<const float> u) {
  for (std::size_t i = 0; i < error.rows(); ++i) {
    const auto row = error.row(i);
    for (std::size_t j = 0; j < row.size(); ++j) {
      const auto factors = u.row(j);
      const float e = row[j] / factors[j];
      row[j] = e;
#pragma omp simd
      for (std::size_t later = j + 1; later < row.size(); ++later) {
        row[later] -= e * factors[later];
      }
    }
  }
}

/// right -= error * u, a product of fixed shape on one thread.
void push_right(const RowMajor& error, MatrixView<const float> u, MatrixView<float> right) {
  if (right.cols() > 0) {
    map(right).noalias() -= error * map(u);
  }
}

double squared_norm(const RowMajor& a) {
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
    RowMajor error = map(e.columns(begin, end));
    eliminate_inside({error.data(), e.rows(), end - begin}, u.sub(begin, end, begin, end));
    sum += squared_norm(error);
    push_right(error, u.sub(begin, end, end, m), e.columns(end, m));
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
    RowMajor error = map(w_.view().sub(begin, end, panel.begin, panel.end)) -
                     map(q.sub(begin, end, 0, panel.width()));
    const MatrixView<float> view(error.data(), end - begin, panel.width());
    if (kind == Compensation::kBlock) {
      for (std::size_t i = 0; i < view.rows(); ++i) {
        for (std::size_t j = 0; j < view.cols(); ++j) {
          view(i, j) /= diagonal(j, j);
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
    RowMajor copy = map(e.sub(begin, end, 0, e.cols()));
    parts[begin / kTile] = tile_energy({copy.data(), end - begin, e.cols()}, u_);
  });
  return std::accumulate(parts.begin(), parts.end(), 0.0);
}

}  // namespace btc
