/// The device's factorisation with threads of the host as teams, and plain loops in the place of
/// cuSOLVER's Cholesky factorisation and of cuBLAS's products.
#include <gmock/gmock.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "backend/backend.hpp"
#include "common/rng.hpp"
#include "cuda/factor.hpp"
#include "cuda/invert_triangle.hpp"
#include "support/host_team.hpp"

namespace btc::cuda {
namespace {

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();

/// Symmetric [m, m] with a diagonal that makes it positive definite.
Matrix<float> random_hessian(std::size_t m) {
  Rng rng(4 + m);
  Matrix<float> h(m, m);
  for (std::size_t i = 0; i < m; ++i) {
    for (std::size_t j = 0; j <= i; ++j) {
      h(i, j) = h(j, i) =
          static_cast<float>((i == j ? 5.0 + 0.5 * static_cast<double>(m) : 0.0) + rng.normal());
    }
  }
  return h;
}

/// A := L of A = L L^T in the lower triangle, column-major.
void cholesky(std::vector<double>& a, std::size_t m) {
  const auto at = [&](std::size_t i, std::size_t j) -> double& { return a[j * m + i]; };
  for (std::size_t j = 0; j < m; ++j) {
    for (std::size_t i = j; i < m; ++i) {
      for (std::size_t l = 0; l < j; ++l) {
        at(i, j) -= at(i, l) * at(j, l);
      }
      at(i, j) = i == j ? std::sqrt(at(i, j)) : at(i, j) / at(j, j);
    }
  }
}

void multiply(const InverseProduct& p, std::vector<double>& l, std::vector<double>& workspace) {
  const auto& right = p.into_workspace ? l : workspace;
  auto& out = p.into_workspace ? workspace : l;
  for (std::size_t b = 0; b < p.count; ++b) {
    for (std::size_t i = 0; i < p.rows; ++i) {
      for (std::size_t j = 0; j < p.columns; ++j) {
        double sum = 0;
        for (std::size_t k = 0; k < p.depth; ++k) {
          sum += l.at(p.left.begin + b * p.left.step + k * p.left.stride + i) *
                 right.at(p.right.begin + b * p.right.step + j * p.right.stride + k);
        }
        out.at(p.out.begin + b * p.out.step + j * p.out.stride + i) = p.into_workspace ? sum : -sum;
      }
    }
  }
}

/// What the device does with L [m, m], whose upper triangle is zero, but in narrower strips.
void invert(std::vector<double>& l, std::size_t m, int team_size) {
  for (std::size_t begin = 0; begin < m; begin += kInverseTile) {
    std::vector<double> room(kInverseTileRoom, kNan);
    test::run_team(team_size, [&](const test::HostTeam& team) {
      invert_tile(team, room.data(), &l[begin * (m + 1)], m, std::min(kInverseTile, m - begin));
    });
  }
  std::vector<double> workspace(inverse_workspace(m), kNan);
  multiply_levels(m, 16, [&](const InverseProduct& p) { multiply(p, l, workspace); });
}

/// All tiles of H to A; NaN where nothing was written.
std::vector<double> reversed(const Matrix<float>& h, int team_size, bool& finite) {
  const std::size_t m = h.rows();
  std::vector<double> a(m * m, kNan);
  std::vector<char> good(static_cast<std::size_t>(team_size), 1);
  for (std::size_t tile = 0; tile < ceil_div(m, kTurnTile) * ceil_div(m, kTurnTile); ++tile) {
    std::vector<float> room(kTurnTileRoom);
    test::run_team(team_size, [&](const test::HostTeam& team) {
      if (!reverse_tile(team, room.data(), h.view(), TurnTile(tile, m), a.data())) {
        good[static_cast<std::size_t>(team.rank())] = 0;
      }
    });
  }
  finite = std::find(good.begin(), good.end(), 0) == good.end();
  return a;
}

Matrix<float> restored(const std::vector<double>& l_inverse, std::size_t m, int team_size,
                       bool& finite) {
  Matrix<float> u(m, m, std::numeric_limits<float>::quiet_NaN());
  std::vector<char> good(static_cast<std::size_t>(team_size), 1);
  for (std::size_t tile = 0; tile < ceil_div(m, kTurnTile) * ceil_div(m, kTurnTile); ++tile) {
    std::vector<float> room(kTurnTileRoom);
    test::run_team(team_size, [&](const test::HostTeam& team) {
      if (!restore_tile(team, room.data(), l_inverse.data(), TurnTile(tile, m), u.view())) {
        good[static_cast<std::size_t>(team.rank())] = 0;
      }
    });
  }
  finite = std::find(good.begin(), good.end(), 0) == good.end();
  return u;
}

void clear_upper(std::vector<double>& a, std::size_t m) {
  for (std::size_t j = 0; j < m; ++j) {
    std::fill_n(&a[j * m], j, 0.0);
  }
}

TEST(FactorKernel, FactorIsThatOfTheReference) {
  for (const std::size_t m : {1U, 2U, 9U, 31U, 32U, 33U, 63U, 64U, 65U, 128U, 130U, 200U, 333U}) {
    const int team_size = m == 33 ? 1 : 32;
    const Matrix<float> h = random_hessian(m);
    Matrix<float> upper = h;  // the lower triangle of H is not read
    for (std::size_t i = 0; i < m; ++i) {
      for (std::size_t j = 0; j < i; ++j) {
        upper(i, j) = 1e30F;
      }
    }
    bool finite = false;
    std::vector<double> a = reversed(upper, team_size, finite);
    EXPECT_TRUE(finite);
    for (std::size_t i = 0; i < m; ++i) {
      for (std::size_t j = 0; j < m; ++j) {
        ASSERT_EQ(a[j * m + i], static_cast<double>(h(m - 1 - i, m - 1 - j))) << i << ", " << j;
      }
    }
    cholesky(a, m);
    clear_upper(a, m);
    invert(a, m, team_size);
    const Matrix<float> u = restored(a, m, team_size, finite);
    EXPECT_TRUE(finite);
    const Matrix<float> expected = make_reference_backend()->factor(h.view());
    for (std::size_t i = 0; i < m; ++i) {
      for (std::size_t j = 0; j < m; ++j) {
        ASSERT_NEAR(u(i, j), expected(i, j), 2e-7 * std::abs(expected(i, i))) << i << ", " << j;
        ASSERT_TRUE(j >= i || u(i, j) == 0.0F) << i << ", " << j;
      }
    }
  }
}

TEST(FactorKernel, InverseTileIgnoresWhatLiesAboveTheDiagonal) {
  constexpr std::size_t kSize = 37;
  constexpr std::size_t kStride = 40;
  std::vector<double> l(kSize * kStride, kNan);
  for (std::size_t j = 0; j < kSize; ++j) {
    for (std::size_t i = j; i < kSize; ++i) {
      l[j * kStride + i] = i == j ? 2.0 : 1.0 / static_cast<double>(1 + i + j);
    }
  }
  std::vector<double> x = l;
  std::vector<double> room(kInverseTileRoom, kNan);
  test::run_team(64, [&](const test::HostTeam& team) {
    invert_tile(team, room.data(), x.data(), kStride, kSize);
  });
  for (std::size_t j = 0; j < kSize; ++j) {
    for (std::size_t i = 0; i < kSize; ++i) {
      double sum = 0;
      for (std::size_t k = j; k <= i; ++k) {
        sum += l[k * kStride + i] * x[j * kStride + k];
      }
      EXPECT_NEAR(sum, i == j ? 1.0 : 0.0, 1e-14) << i << ", " << j;
      EXPECT_TRUE(i >= j || x[j * kStride + i] == 0.0);
    }
    EXPECT_TRUE(std::isnan(x[j * kStride + kSize]));
  }
}

// At the sizes of models: products stay within matrix and workspace, and write as many elements as
// lie below the diagonal tiles.
TEST(FactorKernel, ProductsStayWithinTheirArrays) {
  for (const std::size_t m : {2048U, 4096U, 5000U, 11008U, 28672U}) {
    const std::size_t room = inverse_workspace(m);
    std::size_t below = 0;
    multiply_levels(m, kInverseStrip, [&](const InverseProduct& p) {
      const std::size_t last =
          p.out.begin + (p.count - 1) * p.out.step + (p.columns - 1) * p.out.stride + p.rows;
      EXPECT_LE(last, p.into_workspace ? room : m * m);
      EXPECT_LE(
          p.right.begin + (p.count - 1) * p.right.step + (p.columns - 1) * p.right.stride + p.depth,
          p.into_workspace ? m * m : room);
      EXPECT_LE(p.left.begin + (p.count - 1) * p.left.step + (p.depth - 1) * p.left.stride + p.rows,
                m * m);
      below += p.into_workspace ? 0 : p.count * p.rows * p.columns;
    });
    std::size_t tiles = 0;
    for (std::size_t begin = 0; begin < m; begin += kInverseTile) {
      const std::size_t n = std::min(kInverseTile, m - begin);
      tiles += n * (m - begin - n);
    }
    EXPECT_EQ(below, tiles) << "m " << m;
  }
}

TEST(FactorKernel, WhatIsNotFiniteIsSeenInEveryPlace) {
  constexpr std::size_t kSize = 40;
  for (const auto& [row, column] : {std::pair{39U, 0U}, {0U, 39U}, {20U, 20U}, {35U, 34U}}) {
    Matrix<float> h = random_hessian(kSize);
    h(row, column) = std::numeric_limits<float>::infinity();
    bool finite = true;
    reversed(h, 32, finite);
    EXPECT_FALSE(finite) << row << ", " << column;
  }
  std::vector<double> large(kSize * kSize, 1.0);
  large[3 * kSize + 38] = 1e39;  // fits fp64 only
  bool finite = true;
  restored(large, kSize, 32, finite);
  EXPECT_FALSE(finite);
  std::swap(large[3 * kSize + 38], large[38 * kSize + 3]);  // above the diagonal
  restored(large, kSize, 32, finite);
  EXPECT_TRUE(finite);
}

}  // namespace
}  // namespace btc::cuda
