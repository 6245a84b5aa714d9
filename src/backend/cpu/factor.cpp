#include <Eigen/Cholesky>
#include <Eigen/Core>
#include <algorithm>
#include <atomic>
#include <cmath>
#include <cstddef>

#include "backend/check_input.hpp"
#include "backend/cpu/sessions.hpp"
#include "common/error.hpp"

namespace btc {
namespace {

// With the order of rows and columns reversed, "H = R R^T, R upper" is the usual "A = L L^T, L
// lower" and U = R^-1 is L^-1. Both steps work in place, tile by tile. A tile is changed by one
// task at a time and in a fixed order, so the result does not depend on the number of threads.

using RowMajor = Eigen::Matrix<double, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
using Tile = Eigen::Map<RowMajor, 0, Eigen::OuterStride<>>;

constexpr std::size_t kTile = 256;
constexpr std::size_t kCopyRows = 64;

/// A square matrix seen as tiles of kTile rows and columns; the last ones may be smaller.
class Tiles {
 public:
  explicit Tiles(Matrix<double>& matrix) : matrix_(matrix) {}
  [[nodiscard]] std::size_t count() const { return ceil_div(matrix_.rows(), kTile); }
  [[nodiscard]] Tile operator()(std::size_t i, std::size_t j) const {
    return {&matrix_(i * kTile, j * kTile), size(i), size(j),
            Eigen::OuterStride<>(static_cast<Eigen::Index>(matrix_.cols()))};
  }

 private:
  [[nodiscard]] Eigen::Index size(std::size_t i) const {
    return static_cast<Eigen::Index>(std::min(kTile, matrix_.rows() - i * kTile));
  }
  Matrix<double>& matrix_;
};

/// The lower triangle of H with rows and columns in reversed order.
Matrix<double> reversed(MatrixView<const float> h, const Workers& workers) {
  const std::size_t m = h.rows();
  Matrix<double> a(m, m);
  workers.for_blocks(m, kCopyRows, [&](std::size_t begin, std::size_t end) {
    for (std::size_t i = begin; i < end; ++i) {
      for (std::size_t j = 0; j <= i; ++j) {
        a(i, j) = static_cast<double>(h(m - 1 - i, m - 1 - j));
      }
    }
  });
  return a;
}

/// L in the lower triangle of the tile. @throws NumericError if a pivot is not positive
void factor_tile(Tile tile, std::size_t first_column, std::size_t m) {
  const Eigen::LLT<Eigen::Ref<RowMajor, 0, Eigen::OuterStride<>>> llt(tile);
  // A NaN passes through the factorisation unseen.
  const bool positive = llt.info() == Eigen::Success && (tile.diagonal().array() > 0.0).all() &&
                        tile.diagonal().array().isFinite().all();
  BTC_REQUIRE(NumericError, positive, "factor: H [", m, ", ", m,
              "] is not positive definite: a pivot among columns ",
              m - std::min(m, first_column + kTile), " to ", m - 1 - first_column,
              " is not above 0");
}

/// A = L L^T in the lower triangle.
void cholesky(Matrix<double>& a, const Workers& workers) {
  const Tiles tiles(a);
  const std::size_t n = tiles.count();
  for (std::size_t k = 0; k < n; ++k) {
    factor_tile(tiles(k, k), k * kTile, a.rows());
    workers.for_blocks(n - k - 1, 1, [&](std::size_t task, std::size_t) {
      Tile below = tiles(k + 1 + task, k);
      tiles(k, k).triangularView<Eigen::Lower>().transpose().solveInPlace<Eigen::OnTheRight>(below);
    });
    const std::size_t rest = n - k - 1;
    workers.for_blocks(rest * rest, 1, [&](std::size_t task, std::size_t) {
      const std::size_t i = k + 1 + task / rest;
      const std::size_t j = k + 1 + task % rest;
      if (j < i) {
        tiles(i, j).noalias() -= tiles(i, k) * tiles(j, k).transpose();
      } else if (j == i) {
        tiles(i, i).triangularView<Eigen::Lower>() -= tiles(i, k) * tiles(i, k).transpose();
      }
    });
  }
}

/// L^-1 in place of L. When row k of tiles is finished, what it adds to later rows is summed at
/// once: tile (i, j) with j <= k < i then holds the sum over t = j .. k of L_it X_tj.
void invert_lower(Matrix<double>& l, const Workers& workers) {
  const Tiles tiles(l);
  const std::size_t n = tiles.count();
  for (std::size_t k = 0; k < n; ++k) {
    Tile diagonal = tiles(k, k);
    RowMajor inverse = RowMajor::Identity(diagonal.rows(), diagonal.cols());
    diagonal.triangularView<Eigen::Lower>().solveInPlace(inverse);
    diagonal = inverse;
    workers.for_blocks(k, 1, [&](std::size_t j, std::size_t) {
      const RowMajor sum = tiles(k, j);
      tiles(k, j).noalias() = -inverse * sum;
    });
    const std::size_t rest = n - k - 1;
    workers.for_blocks(rest * k, 1, [&](std::size_t task, std::size_t) {
      const std::size_t i = k + 1 + task / k;
      const std::size_t j = task % k;
      tiles(i, j).noalias() += tiles(i, k) * tiles(k, j);
    });
    workers.for_blocks(rest, 1, [&](std::size_t task, std::size_t) {
      const RowMajor old = tiles(k + 1 + task, k);
      tiles(k + 1 + task, k).noalias() = old * inverse;
    });
  }
}

/// The lower triangle in fp32 with the order reversed back: an upper triangle, zeros below.
Matrix<float> reversed_back(const Matrix<double>& x, const Workers& workers) {
  const std::size_t m = x.rows();
  Matrix<float> u(m, m);
  std::atomic<bool> finite = true;
  workers.for_blocks(m, kCopyRows, [&](std::size_t begin, std::size_t end) {
    bool good = true;
    for (std::size_t i = begin; i < end; ++i) {
      for (std::size_t j = 0; j <= i; ++j) {
        const auto value = static_cast<float>(x(i, j));
        good = good && std::isfinite(value);
        u(m - 1 - i, m - 1 - j) = value;
      }
    }
    if (!good) {
      finite = false;
    }
  });
  BTC_REQUIRE(NumericError, finite, "factor: U [", m, ", ", m,
              "] does not fit fp32; raise the damping");
  return u;
}

}  // namespace

Matrix<float> cpu_factor(MatrixView<const float> h, const Workers& workers) {
  check_hessian(h);
  Matrix<double> work = reversed(h, workers);
  cholesky(work, workers);
  invert_lower(work, workers);
  return reversed_back(work, workers);
}

}  // namespace btc
